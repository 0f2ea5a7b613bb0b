/* What a script may use. A list of what is allowed, never of what is not: whatever a library gains
 * is absent until it is written here, with its worst case in spec/fixtures/escapes. */
#include "worker_run.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

static const char *const base[] = { "assert", "error", "getmetatable", "ipairs", "next", "pairs",
  "pcall", "rawequal", "rawget", "rawlen", "rawset", "select", "tonumber", "tostring", "type",
  "xpcall", "_VERSION", NULL };
static const char *const strings[] = { "byte", "char", "find", "format", "gmatch", "gsub", "len",
  "lower", "match", "pack", "packsize", "rep", "reverse", "sub", "unpack", "upper", NULL };
static const char *const tables[] = { "concat", "insert", "move", "pack", "remove", "sort",
  "unpack", NULL };
static const char *const maths[] = { "abs", "acos", "asin", "atan", "ceil", "cos", "deg", "exp",
  "floor", "fmod", "huge", "log", "max", "maxinteger", "min", "mininteger", "modf", "pi", "rad",
  "random", "sin", "sqrt", "tan", "tointeger", "type", "ult", NULL };
static const char *const utf8s[] = { "char", "charpattern", "codepoint", "codes", "len", "offset",
  NULL };

/* Functions of our own ------------------------------------------------------------------------- */

/* A finalizer runs unwatched, so none is made. One that is put into the table later has no effect. */
static int l_setmetatable(lua_State *L)
{
  int type = lua_type(L, 2);
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
  if (type == LUA_TTABLE) {
    lua_pushliteral(L, "__gc");
    if (lua_rawget(L, 2) != LUA_TNIL) return luaL_error(L, "a script may not have a __gc");
  }
  if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
    return luaL_error(L, "cannot change a protected metatable");
  lua_settop(L, 2);
  lua_setmetatable(L, 1);
  return 1;
}

/* load(text [, name [, mode [, env]]]): text only, whatever the mode says. */
static int l_load(lua_State *L)
{
  size_t len;
  luaL_checktype(L, 1, LUA_TSTRING);
  const char *text = lua_tolstring(L, 1, &len), *name = luaL_optstring(L, 2, "=(load)");
  bool with_env = !lua_isnone(L, 4);
  luaL_argcheck(L, len <= RUN_SOURCE_MAX_BYTES, 1, "source is too long");
  lua_settop(L, 4);
  if (luaL_loadbufferx(L, text, len, name, "t") != LUA_OK) {
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
  }
  if (with_env) {
    lua_pushvalue(L, 4);
    if (!lua_setupvalue(L, -2, 1)) lua_pop(L, 1);
  }
  return 1;
}

static int l_collectgarbage(lua_State *L)
{
  static const char *const options[] = { "collect", "count", NULL };
  if (luaL_checkoption(L, 1, "collect", options)) {
    lua_pushnumber(L, (lua_Number)run_of(L)->heap.used / 1024);
    return 1;
  }
  lua_gc(L, LUA_GCCOLLECT);
  lua_pushinteger(L, 0);
  return 1;
}

static const luaL_Reg own[] = {
  { "collectgarbage", l_collectgarbage },
  { "load",           l_load },
  { "setmetatable",   l_setmetatable },
  { NULL, NULL },
};

/* The globals ---------------------------------------------------------------------------------- */

/* from, to -> from, to: what the names say */
static void copy(lua_State *L, const char *const *names)
{
  for (; *names; names++) {
    lua_getfield(L, -2, *names);
    lua_setfield(L, -2, *names);
  }
}

/* globals -> globals: .name = what a library has of `names` */
static void add(lua_State *L, const char *name, lua_CFunction open, const char *const *names)
{
  luaL_requiref(L, name, open, 0);
  lua_newtable(L);
  copy(L, names);
  lua_setfield(L, -3, name);
  lua_pop(L, 1);
}

/* globals -> globals: methods of strings come from `string`, and nobody gets at the metatable */
static void protect_strings(lua_State *L)
{
  lua_pushliteral(L, "");
  lua_newtable(L);
  lua_getfield(L, -3, LUA_STRLIBNAME);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
}

/* globals -> globals: the same numbers in every run of the same order */
static void seed(lua_State *L, uint32_t number)
{
  luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 0);
  lua_getfield(L, -1, "randomseed");
  lua_pushinteger(L, number);
  lua_call(L, 1, 0);
  lua_pop(L, 1);
}

void worker_lib_open(lua_State *L)
{
  luaL_requiref(L, LUA_GNAME, luaopen_base, 0);
  lua_newtable(L);
  copy(L, base);
  luaL_setfuncs(L, own, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, LUA_GNAME);
  lua_pushvalue(L, -1);
  lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  add(L, LUA_STRLIBNAME, luaopen_string, strings);
  add(L, LUA_TABLIBNAME, luaopen_table, tables);
  add(L, LUA_MATHLIBNAME, luaopen_math, maths);
  add(L, LUA_UTF8LIBNAME, luaopen_utf8, utf8s);
  seed(L, run_of(L)->order.seed);
  protect_strings(L);
  worker_co_push(L);
  lua_setfield(L, -2, LUA_COLIBNAME);
  worker_json_push(L);
  lua_setfield(L, -2, "json");
  lua_pop(L, 2);
}
