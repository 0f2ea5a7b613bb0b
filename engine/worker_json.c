/* `json` for scripts: the same values as in the engine, within the limits of results. */
#include "worker_run.h"

#include <lauxlib.h>

static int give_reason(lua_State *L, const struct reason *why)
{
  lua_pushnil(L);
  lua_pushstring(L, why->text);
  lua_pushstring(L, status_name(why->code));
  return 3;
}

/* What an earlier call left behind, when Lua raised in it, goes now. */
static void own(struct script_run *run, json_t *value)
{
  json_decref(run->owned);
  run->owned = value;
}

static int l_decode(lua_State *L)
{
  struct script_run *run = run_of(L);
  struct reason why = { .code = OK };
  size_t len;
  luaL_checktype(L, 1, LUA_TSTRING);
  const char *text = lua_tolstring(L, 1, &len);
  own(run, json_read_within(text, len, RUN_RESULT_LIMITS, &why));
  if (!run->owned) return give_reason(L, &why);
  lua_json_push(L, run->owned);
  own(run, NULL);
  return 1;
}

static int l_encode(lua_State *L)
{
  struct script_run *run = run_of(L);
  struct reason why = { .code = OK };
  luaL_checkany(L, 1);
  own(run, json_lua_read(L, 1, RUN_RESULT_LIMITS, &why));
  buf_clear(&run->text);
  if (!run->owned || json_write(run->owned, &run->text, &why)) return give_reason(L, &why);
  own(run, NULL);
  lua_pushlstring(L, run->text.data, run->text.len);
  return 1;
}

static int l_array(lua_State *L)
{
  lua_settop(L, 1);
  if (lua_isnil(L, 1)) {
    lua_newtable(L);
    lua_replace(L, 1);
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_argcheck(L, !lua_getmetatable(L, 1) || json_lua_is_list(L, 1), 1,
    "table has a metatable already");
  json_lua_push_list_type(L);
  lua_setmetatable(L, 1);
  lua_settop(L, 1);
  return 1;
}

static int l_is_array(lua_State *L)
{
  luaL_checkany(L, 1);
  lua_pushboolean(L, lua_istable(L, 1) && json_lua_is_list(L, 1));
  return 1;
}

static const luaL_Reg functions[] = {
  { "array",    l_array },
  { "decode",   l_decode },
  { "encode",   l_encode },
  { "is_array", l_is_array },
  { NULL, NULL },
};

void worker_json_push(lua_State *L)
{
  json_lua_push_list_type(L);
  lua_pushboolean(L, 0); /* hidden: a __gc put into it would run unwatched */
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
}
