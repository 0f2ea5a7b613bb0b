#include "bind.h"

#include <string.h>

int bind_fail(lua_State *L, const struct reason *why)
{
  lua_pushnil(L);
  lua_pushstring(L, why->text);
  lua_pushstring(L, status_name(why->code));
  return 3;
}

int bind_failf(lua_State *L, enum status code, const char *format, ...)
{
  struct reason why = { .code = code };
  va_list args;
  va_start(args, format);
  vsnprintf(why.text, sizeof why.text, format, args);
  va_end(args);
  return bind_fail(L, &why);
}

const char *bind_bytes(lua_State *L, int arg, size_t max, size_t *len)
{
  luaL_checktype(L, arg, LUA_TSTRING);
  const char *bytes = lua_tolstring(L, arg, len);
  luaL_argcheck(L, *len <= max, arg, "string is too long");
  return bytes;
}

void bind_table(lua_State *L, int arg)
{
  luaL_checktype(L, arg, LUA_TTABLE);
}

/* [] -> [value]; true when it is there and of that type, false when it is absent */
static bool field(lua_State *L, int arg, const char *name, int type)
{
  int found = lua_getfield(L, arg, name);
  if (found == LUA_TNIL) return false;
  if (found != type) {
    const char *text = lua_pushfstring(L, "field '%s': %s expected, got %s", name,
      lua_typename(L, type), lua_typename(L, found));
    luaL_argerror(L, arg, text);
  }
  return true;
}

const char *bind_text(lua_State *L, int arg, const char *name, const char *otherwise)
{
  const char *text = field(L, arg, name, LUA_TSTRING) ? lua_tostring(L, -1) : otherwise;
  lua_pop(L, 1);
  return text;
}

lua_Number bind_number(lua_State *L, int arg, const char *name, lua_Number otherwise)
{
  lua_Number number = field(L, arg, name, LUA_TNUMBER) ? lua_tonumber(L, -1) : otherwise;
  lua_pop(L, 1);
  return number;
}

lua_Integer bind_integer(lua_State *L, int arg, const char *name, lua_Integer otherwise)
{
  lua_Integer number = otherwise;
  int whole = 1;
  if (field(L, arg, name, LUA_TNUMBER)) number = lua_tointegerx(L, -1, &whole);
  if (!whole) luaL_argerror(L, arg, lua_pushfstring(L, "field '%s': integer expected", name));
  lua_pop(L, 1);
  return number;
}

bool bind_flag(lua_State *L, int arg, const char *name, bool otherwise)
{
  bool flag = field(L, arg, name, LUA_TBOOLEAN) ? lua_toboolean(L, -1) : otherwise;
  lua_pop(L, 1);
  return flag;
}

bool bind_function(lua_State *L, int arg, const char *name)
{
  if (field(L, arg, name, LUA_TFUNCTION)) return true;
  lua_pop(L, 1);
  return false;
}

void *bind_new(lua_State *L, const char *type, size_t size)
{
  void *object = lua_newuserdatauv(L, size, 0);
  memset(object, 0, size);
  luaL_setmetatable(L, type);
  return object;
}

void bind_type(lua_State *L, const char *type, const luaL_Reg *methods, lua_CFunction gc)
{
  if (luaL_newmetatable(L, type)) {
    lua_newtable(L);
    if (methods) luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    if (gc) {
      lua_pushcfunction(L, gc);
      lua_setfield(L, -2, "__gc");
      lua_pushcfunction(L, gc);
      lua_setfield(L, -2, "__close");
    }
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
  }
  lua_pop(L, 1);
}

void bind_set(lua_State *L, const void *key, void *state)
{
  lua_pushlightuserdata(L, state);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

void *bind_get(lua_State *L, const void *key)
{
  lua_rawgetp(L, LUA_REGISTRYINDEX, key);
  void *state = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return state;
}
