#include "lua_engine.h"

#include "bind_job.h"

#define QPS 100.0
#define BURST 250.0
#define MAX_RUNNING 64

/* What the table at 1 says, but for the functions. */
static void check_options(lua_State *L, struct engine_options *o)
{
  lua_Integer max = bind_integer(L, 1, "max_running", MAX_RUNNING),
              port = bind_integer(L, 1, "port", -1);
  luaL_argcheck(L, max > 0 && max <= 100000, 1, "field 'max_running': out of range");
  luaL_argcheck(L, port >= -1 && port <= 65535, 1, "field 'port': out of range");
  luaL_argcheck(L, lua_getfield(L, 1, "canary") == LUA_TTABLE, 1, "field 'canary': table expected");
  int canary = lua_gettop(L);
  *o = (struct engine_options){
    .kube = { .kubeconfig = bind_text(L, 1, "kubeconfig", NULL),
      .master = bind_text(L, 1, "master", NULL),
      .qps = bind_number(L, 1, "qps", QPS),
      .burst = bind_number(L, 1, "burst", BURST) },
    .routes_kubeconfig = bind_text(L, 1, "routes_kubeconfig", NULL),
    .space = bind_text(L, 1, "namespace", ""),
    .api_version = bind_text(L, canary, "apiVersion", NULL),
    .kind = bind_text(L, canary, "kind", NULL),
    .max_running = (unsigned)max,
    .port = (int)port,
  };
  luaL_argcheck(L, o->api_version && o->kind, 1, "field 'canary': apiVersion and kind expected");
  luaL_argcheck(L, o->kube.qps > 0 && o->kube.burst > 0, 1, "fields 'qps', 'burst': out of range");
}

static void set_log(lua_State *L, struct log *log)
{
  const char *level = bind_text(L, 1, "log_level", NULL),
             *encoding = bind_text(L, 1, "log_encoding", NULL);
  if (level) log->level = log_level_of(level);
  if (encoding) log->text = encoding[0] == 'c'; /* "console" */
}

static int l_start(lua_State *L)
{
  struct reason why = { .code = OK };
  struct engine_options o;
  struct engine *engine = engine_of(L);
  bind_table(L, 1);
  lua_settop(L, 1);
  check_options(L, &o);
  if (engine->run) return luaL_error(L, "the engine is started already");
  luaL_argcheck(L, bind_function(L, 1, "tick"), 1, "field 'tick': function expected");
  set_log(L, engine->log);
  o.tick = luaL_ref(L, LUA_REGISTRYINDEX);
  o.forget = bind_slot(L, 1, "forget");
  o.metrics = bind_slot(L, 1, "metrics");
  if (engine_start(engine, &o, &why)) return bind_fail(L, &why);
  lua_pushboolean(L, 1);
  return 1;
}

static int l_stop(lua_State *L)
{
  engine_stop(engine_of(L));
  return 0;
}

static int l_exit(lua_State *L)
{
  lua_Integer code = luaL_optinteger(L, 1, 0);
  luaL_argcheck(L, code >= 0 && code <= 255, 1, "out of range");
  engine_exit(engine_of(L), (int)code);
  return 0;
}

/* stats -> stats: .kinds = { { apiVersion =, kind =, state =, objects = } } */
static void add_kinds(lua_State *L, const struct cache *cache)
{
  struct map_walk walk = { 0 };
  struct cache_kind_state state;
  lua_Integer n = 0;
  lua_newtable(L);
  while (cache_next_kind(cache, &walk, &state)) {
    lua_createtable(L, 0, 4);
    lua_pushstring(L, state.kind->api_version);
    lua_setfield(L, -2, "apiVersion");
    lua_pushstring(L, state.kind->name);
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, state.state);
    lua_setfield(L, -2, "state");
    lua_pushinteger(L, (lua_Integer)state.objects);
    lua_setfield(L, -2, "objects");
    lua_rawseti(L, -2, ++n);
  }
  lua_setfield(L, -2, "kinds");
}

static void set_count(lua_State *L, const char *name, size_t n)
{
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, name);
}

static int l_stats(lua_State *L)
{
  const struct run *run = engine_of(L)->run;
  struct sched_stats sched = { 0 };
  struct cache_state cache = { 0 };
  struct kube_counts counts = { 0, 0 };
  if (run) {
    sched_stats(run->sched, &sched);
    cache = cache_state(run->cache);
    counts = engine_counts(run);
  }
  lua_createtable(L, 0, 10);
  set_count(L, "canaries", sched.entries);
  set_count(L, "running", sched.running);
  set_count(L, "ticks", sched.ticks);
  set_count(L, "tick_errors", sched.errors);
  set_count(L, "requests", counts.requests);
  set_count(L, "request_errors", counts.errors);
  set_count(L, "cache_objects", cache.objects);
  set_count(L, "cache_bytes", cache.bytes);
  if (run && run->server) set_count(L, "port", (size_t)server_port(run->server));
  lua_pushnumber(L, sched.late_now);
  lua_setfield(L, -2, "due_late");
  lua_pushboolean(L, run && cache.synced);
  lua_setfield(L, -2, "synced");
  if (run) add_kinds(L, run->cache);
  else lua_newtable(L), lua_setfield(L, -2, "kinds");
  return 1;
}

static int l_spawn(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  int function = luaL_ref(L, LUA_REGISTRYINDEX);
  if (!engine_spawn(engine_of(L), function)) return 0;
  luaL_unref(L, LUA_REGISTRYINDEX, function);
  return luaL_error(L, "not enough memory");
}

static int l_on_signal(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  engine_signals(engine_of(L), luaL_ref(L, LUA_REGISTRYINDEX));
  return 0;
}

static const luaL_Reg functions[] = {
  { "start",     l_start },
  { "stop",      l_stop },
  { "exit",      l_exit },
  { "stats",     l_stats },
  { "spawn",     l_spawn },
  { "on_signal", l_on_signal },
  { NULL, NULL },
};

int luaopen_host_engine(lua_State *L)
{
  luaL_newlib(L, functions);
  return 1;
}
