/* lua_json.h - one walk from JSON values to Lua values and back.
 *
 *   JSON           Lua
 *   null           json.null (a light userdata holding NULL)
 *   list           table with the metatable json.array gives (also when empty)
 *   object         plain table
 *   integer        integer (64 bit); other numbers: float
 *
 * Back: a table with that metatable, or a non-empty table whose keys are
 * exactly 1..n, is a list; any other table is an object, its keys must be
 * strings and are written in sorted order. NaN and infinities are refused. */
#ifndef ENGINE_LUA_JSON_H
#define ENGINE_LUA_JSON_H

#include "json.h"

#include <lua.h>

/* Pushes one value. May raise (memory), so call it only inside a protected call. */
void lua_json_push(lua_State *L, const json_t *value);

/* The value at `idx` as JSON (new reference), or NULL with `why`. Never raises. */
json_t *lua_json_read(lua_State *L, int idx, struct reason *why);

/* Pushes a slot that owns the JSON value put into it while Lua may raise: the collector frees what is
 * left there. Set it to NULL when the value is given away or freed. */
json_t **lua_json_own(lua_State *L);

int luaopen_host_json(lua_State *L);

#endif
