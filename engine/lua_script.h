/* lua_script.h - `script`: see lua/meta/script.lua. */
#ifndef ENGINE_LUA_SCRIPT_H
#define ENGINE_LUA_SCRIPT_H

#include "pool.h"

#include <lua.h>

/* For specs: `mode` (a constant) is the second argument of workers that start after the next
 * script.setup. */
void lua_script_mode(lua_State *L, const char *mode);

/* The workers of the state; NULL when none was needed yet. */
const struct pool *lua_script_pool(lua_State *L);

int luaopen_host_script(lua_State *L);

#endif
