/* lua_clock.h - `clock`: the engine's time. */
#ifndef ENGINE_LUA_CLOCK_H
#define ENGINE_LUA_CLOCK_H

#include <lua.h>

int luaopen_host_clock(lua_State *L);

#endif
