/* lua_engine.h - `engine`: what the command line's Lua may ask of the host. */
#ifndef ENGINE_LUA_ENGINE_H
#define ENGINE_LUA_ENGINE_H

#include <lua.h>

int luaopen_host_engine(lua_State *L);

#endif
