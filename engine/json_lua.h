/* json_lua.h - one walk from JSON values to Lua values and back.
 *
 *   JSON           Lua
 *   null           json.null (a light userdata holding NULL)
 *   list           table with the metatable of lists (also when empty)
 *   object         plain table
 *   integer        integer (64 bit); other numbers: float
 *
 * Back: a table with that metatable, or a non-empty table whose keys are
 * exactly 1..n, is a list; any other table is an object, its keys must be
 * strings and are written in sorted order. NaN and infinities are refused. */
#ifndef ENGINE_JSON_LUA_H
#define ENGINE_JSON_LUA_H

#include "json.h"

#include <lua.h>
#include <stdbool.h>

/* Pushes one value. May raise (memory), so call it only inside a protected call. */
void lua_json_push(lua_State *L, const json_t *value);

/* The value at `idx` as JSON (new reference), or NULL with `why`. Never raises. */
json_t *lua_json_read(lua_State *L, int idx, struct reason *why);

/* The same within other limits; `bytes` counts those of strings and keys. */
json_t *json_lua_read(lua_State *L, int idx, struct json_limits most, struct reason *why);

/* The metatable of lists. [] -> [metatable] */
void json_lua_push_list_type(lua_State *L);

/* Needs two free slots; allocates nothing. */
bool json_lua_is_list(lua_State *L, int idx);

#endif
