/* lua_script_list.h - a part of `script`. */
#ifndef ENGINE_LUA_SCRIPT_LIST_H
#define ENGINE_LUA_SCRIPT_LIST_H

#include <lua.h>

int script_list(lua_State *L);

#endif
