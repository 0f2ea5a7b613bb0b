/* lua_log.h - `log`: lines of scripts go where the host's lines go. */
#ifndef ENGINE_LUA_LOG_H
#define ENGINE_LUA_LOG_H

#include "log.h"

#include <lua.h>

/* The log that `log.*` in this state writes to; it must outlive the state. Without it: JSON on
 * stderr, from info upwards. */
void lua_log_set(lua_State *L, const struct log *log);

int luaopen_host_log(lua_State *L);

#endif
