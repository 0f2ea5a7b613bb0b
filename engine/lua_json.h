/* lua_json.h - `json`: see lua/meta/json.lua, and json_lua.h for the mapping. */
#ifndef ENGINE_LUA_JSON_H
#define ENGINE_LUA_JSON_H

#include "json_lua.h"

/* Pushes a slot that owns the JSON value put into it while Lua may raise: the collector frees what is
 * left there. Set it to NULL when the value is given away or freed. */
json_t **lua_json_own(lua_State *L);

int luaopen_host_json(lua_State *L);

#endif
