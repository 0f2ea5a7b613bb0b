#include "lua_json.h"

#include "bind.h"

#define BOX "json.box"

/* What a call owns while Lua may raise; the collector frees it when it did. */
struct box {
  json_t *value;
  struct buf text;
};

static int box_gc(lua_State *L)
{
  struct box *box = luaL_checkudata(L, 1, BOX);
  json_decref(box->value);
  box->value = NULL;
  buf_close(&box->text);
  return 0;
}

json_t **lua_json_own(lua_State *L)
{
  bind_type(L, BOX, NULL, box_gc);
  struct box *box = bind_new(L, BOX, sizeof *box);
  return &box->value;
}

static int l_decode(lua_State *L)
{
  struct reason why;
  size_t len;
  luaL_checktype(L, 1, LUA_TSTRING);
  const char *text = lua_tolstring(L, 1, &len);
  json_t **value = lua_json_own(L);
  *value = json_read(text, len, &why);
  if (!*value) return bind_fail(L, &why);
  lua_json_push(L, *value);
  json_decref(*value);
  *value = NULL;
  return 1;
}

static int l_encode(lua_State *L)
{
  struct reason why;
  luaL_checkany(L, 1);
  struct box *box = bind_new(L, BOX, sizeof *box);
  buf_init(&box->text, JSON_MAX_BYTES);
  box->value = lua_json_read(L, 1, &why);
  if (!box->value || json_write(box->value, &box->text, &why)) return bind_fail(L, &why);
  lua_pushlstring(L, box->text.data, box->text.len);
  json_decref(box->value);
  box->value = NULL;
  buf_close(&box->text);
  return 1;
}

static int l_array(lua_State *L)
{
  lua_settop(L, 1);
  if (lua_isnil(L, 1)) {
    lua_newtable(L);
    lua_replace(L, 1);
  }
  bind_table(L, 1);
  luaL_argcheck(L, !lua_getmetatable(L, 1) || json_lua_is_list(L, 1), 1, "table has a metatable already");
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
  { "decode",   l_decode },
  { "encode",   l_encode },
  { "array",    l_array },
  { "is_array", l_is_array },
  { NULL, NULL },
};

int luaopen_host_json(lua_State *L)
{
  bind_type(L, BOX, NULL, box_gc);
  luaL_newlib(L, functions);
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  return 1;
}
