/* lua_digest.h - `digest`: see lua/meta/digest.lua. */
#ifndef ENGINE_LUA_DIGEST_H
#define ENGINE_LUA_DIGEST_H

#include <lua.h>

int luaopen_host_digest(lua_State *L);

#endif
