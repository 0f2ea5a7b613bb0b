/* `coroutine` for scripts: every coroutine is watched, and a call of the engine inside of one parks
 * the whole run. There is no close: what it would run, __close, it runs unwatched. */
#include "worker_run.h"

#include <lauxlib.h>

static lua_State *check_co(lua_State *L, int arg)
{
  lua_State *co = lua_tothread(L, arg);
  luaL_argexpected(L, co, arg, "coroutine");
  return co;
}

static const char *state_of(lua_State *L, lua_State *co)
{
  lua_Debug ar;
  if (co == L) return "running";
  if (lua_status(co) == LUA_YIELD) return "suspended";
  if (lua_status(co) != LUA_OK) return "dead";
  if (lua_getstack(co, 0, &ar)) return "normal";
  return lua_gettop(co) ? "suspended" : "dead";
}

/* [] -> what the coroutine gave, or `false` and its error */
static int give(lua_State *L, lua_State *co, int status, int n, bool wrapped)
{
  bool good = status == LUA_OK || status == LUA_YIELD;
  int moved = good ? n : 1;
  if (!lua_checkstack(L, moved + 1)) {
    lua_pop(co, moved);
    return luaL_error(L, "too many results to resume");
  }
  if (!wrapped) lua_pushboolean(L, good);
  lua_xmove(co, L, moved);
  if (!good && wrapped) return lua_error(L);
  return wrapped ? moved : moved + 1;
}

static int go_on(lua_State *L, int status, lua_KContext wrapped);

/* Resumes with the top `n` values of `co`, until it gives something or calls the engine. */
static int resume(lua_State *L, lua_State *co, int n, bool wrapped)
{
  struct script_run *run = run_of(L);
  for (;;) {
    run_look(L); /* a coroutine that ends soon has no instruction at which its hook looks */
    run->now = co;
    run_watch(co);
    int status = lua_resume(co, L, n, &n);
    run->now = L;
    if (status != LUA_YIELD || run->state != RUN_CALLING) return give(L, co, status, n, wrapped);
    if (lua_isyieldable(L)) return lua_yieldk(L, 0, wrapped, go_on);
    run->state = RUN_READY;
    run->raise = "this call has to wait, which is not possible inside a comparator, a replacement "
                 "or a metamethod";
    n = 0;
  }
}

static lua_State *callee(lua_State *L, bool wrapped)
{
  return lua_tothread(L, wrapped ? lua_upvalueindex(1) : 1);
}

static int go_on(lua_State *L, int status, lua_KContext wrapped)
{
  (void)status;
  return resume(L, callee(L, wrapped), 0, wrapped);
}

/* arguments from `first` on -> what it gives */
static int start(lua_State *L, bool wrapped, int first)
{
  lua_State *co = callee(L, wrapped);
  const char *state = state_of(L, co);
  int n = lua_gettop(L) - first + 1;
  const char *bad = NULL;
  if (state[0] != 's') bad = lua_pushfstring(L, "cannot resume %s coroutine",
    state[0] == 'd' ? "dead" : "non-suspended");
  else if (!lua_checkstack(co, n)) bad = lua_pushliteral(L, "too many arguments to resume");
  if (bad && wrapped) return luaL_error(L, "%s", bad);
  if (bad) {
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
  }
  lua_xmove(L, co, n);
  return resume(L, co, n, wrapped);
}

static int l_resume(lua_State *L)
{
  check_co(L, 1);
  return start(L, false, 2);
}

static int call_wrapped(lua_State *L)
{
  return start(L, true, 1);
}

static int l_create(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  return 1;
}

static int l_wrap(lua_State *L)
{
  l_create(L);
  lua_pushcclosure(L, call_wrapped, 1);
  return 1;
}

static int l_yield(lua_State *L)
{
  if (L == run_of(L)->co) return luaL_error(L, "attempt to yield from outside a coroutine");
  return lua_yield(L, lua_gettop(L));
}

static int l_status(lua_State *L)
{
  lua_pushstring(L, state_of(L, check_co(L, 1)));
  return 1;
}

static int l_isyieldable(lua_State *L)
{
  lua_pushboolean(L, L != run_of(L)->co && lua_isyieldable(L));
  return 1;
}

static int l_running(lua_State *L)
{
  lua_pushthread(L);
  lua_pushboolean(L, L == run_of(L)->co);
  return 2;
}

static const luaL_Reg functions[] = {
  { "create",      l_create },
  { "isyieldable", l_isyieldable },
  { "resume",      l_resume },
  { "running",     l_running },
  { "status",      l_status },
  { "wrap",        l_wrap },
  { "yield",       l_yield },
  { NULL, NULL },
};

void worker_co_push(lua_State *L)
{
  luaL_newlib(L, functions);
}
