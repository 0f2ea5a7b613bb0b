#include "lua_yaml.h"

#include "bind.h"
#include "lua_json.h"
#include "yaml.h"
#include "yaml_lines.h"

/* What `read` makes of the text that is the first argument. */
static int push(lua_State *L, json_t *(*read)(const char *text, size_t len, struct reason *why))
{
  struct reason why;
  size_t len;
  luaL_checktype(L, 1, LUA_TSTRING);
  const char *text = lua_tolstring(L, 1, &len);
  json_t **documents = lua_json_own(L);
  *documents = read(text, len, &why);
  if (!*documents) return bind_fail(L, &why);
  lua_json_push(L, *documents);
  json_decref(*documents);
  *documents = NULL;
  return 1;
}

static int l_decode(lua_State *L)
{
  return push(L, yaml_read);
}

static int l_lines(lua_State *L)
{
  return push(L, yaml_lines);
}

static const luaL_Reg functions[] = {
  { "decode", l_decode },
  { "lines", l_lines },
  { NULL, NULL },
};

int luaopen_host_yaml(lua_State *L)
{
  luaL_newlib(L, functions);
  return 1;
}
