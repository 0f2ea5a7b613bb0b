/* lua_kube.h - `kube`: the cluster, for scripts. */
#ifndef ENGINE_LUA_KUBE_H
#define ENGINE_LUA_KUBE_H

#include <lua.h>

int luaopen_host_kube(lua_State *L);

#endif
