/* call.h - the one protected call from C into Lua outside of jobs. */
#ifndef ENGINE_CALL_H
#define ENGINE_CALL_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* Runs `what` with `data` as a light userdata at 1. False with the message in `text` when it
 * raised. Leaves the stack as it was; results go through `data`. */
bool call_lua(lua_State *L, lua_CFunction what, void *data, char *text, size_t size);

#endif
