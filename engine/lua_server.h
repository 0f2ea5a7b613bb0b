/* lua_server.h - `server`: an HTTP server for the embedded cluster and for specs. */
#ifndef ENGINE_LUA_SERVER_H
#define ENGINE_LUA_SERVER_H

#include <lua.h>

int luaopen_host_server(lua_State *L);

#endif
