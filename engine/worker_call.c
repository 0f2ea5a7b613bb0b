/* Calls of the engine, as functions of the script. */
#include "worker_run.h"

#include <lauxlib.h>
#include <string.h>

#define RESULTS_MAX 16

/* [] -> results */
static int after_call(lua_State *L, int status, lua_KContext ctx)
{
  struct script_run *run = run_of(L);
  const json_t *value;
  size_t i;
  (void)status, (void)ctx;
  if (run->raise) {
    const char *text = run->raise;
    run->raise = NULL;
    return luaL_error(L, "%s", text);
  }
  lua_settop(L, 0);
  luaL_checkstack(L, RESULTS_MAX, NULL);
  json_array_foreach(run->answer, i, value) {
    if (i >= RESULTS_MAX) break;
    if (json_is_null(value)) lua_pushnil(L);
    else lua_json_push(L, value);
  }
  return lua_gettop(L);
}

/* The arguments as a JSON list in run->text; raises when they have no such form. */
static void write_arguments(lua_State *L, struct script_run *run, const char *name)
{
  struct reason why = { .code = OK };
  json_decref(run->owned);
  run->owned = json_array();
  for (int i = 1; run->owned && i <= lua_gettop(L); i++) {
    json_t *value =
      lua_isnil(L, i) ? json_null() : json_lua_read(L, i, RUN_RESULT_LIMITS, &why);
    if (!value) luaL_error(L, "%s: argument %d: %s", name, i, why.text);
    json_array_append_new(run->owned, value);
  }
  buf_clear(&run->text);
  if (!run->owned || json_write(run->owned, &run->text, &why))
    luaL_error(L, "%s: arguments: %s", name, run->owned ? why.text : "no memory");
  json_decref(run->owned);
  run->owned = NULL;
}

static int l_call(lua_State *L)
{
  struct script_run *run = run_of(L);
  const char *name = lua_tostring(L, lua_upvalueindex(1));
  if (!lua_isyieldable(L))
    return luaL_error(L,
      "%s has to wait, which is not possible inside a comparator, a replacement or a metamethod",
      name);
  luaL_argcheck(L, lua_gettop(L) <= RESULTS_MAX, RESULTS_MAX + 1, "too many arguments");
  write_arguments(L, run, name);
  snprintf(run->call, sizeof run->call, "%s", name);
  run->state = RUN_CALLING;
  return lua_yieldk(L, 0, 0, after_call);
}

/* globals -> globals: a.b = function */
static void add_call(lua_State *L, const char *name)
{
  int top = lua_gettop(L);
  const char *dot = strchr(name, '.');
  lua_pushvalue(L, -1);
  if (dot) {
    lua_pushlstring(L, name, (size_t)(dot - name));
    if (lua_rawget(L, -2) != LUA_TTABLE) {
      lua_pop(L, 1);
      lua_newtable(L);
      lua_pushlstring(L, name, (size_t)(dot - name));
      lua_pushvalue(L, -2);
      lua_rawset(L, -4);
    }
  }
  lua_pushstring(L, name);
  lua_pushcclosure(L, l_call, 1);
  lua_setfield(L, -2, dot ? dot + 1 : name);
  lua_settop(L, top);
}

void worker_call_add(lua_State *L, const struct run_order *order)
{
  lua_pushglobaltable(L);
  for (uint32_t i = 0; i < order->calls_n; i++) add_call(L, order->calls[i]);
  lua_pop(L, 1);
}
