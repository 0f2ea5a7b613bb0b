/* lua_kube_read.h - kube.read: what the API server answers and nobody can watch. */
#ifndef ENGINE_LUA_KUBE_READ_H
#define ENGINE_LUA_KUBE_READ_H

#include <lua.h>

int l_kube_read(lua_State *L);

#endif
