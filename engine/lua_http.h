/* lua_http.h - `http`: requests of scripts. */
#ifndef ENGINE_LUA_HTTP_H
#define ENGINE_LUA_HTTP_H

#include <lua.h>

int luaopen_host_http(lua_State *L);

#endif
