#include "lua_test.h"

#include "bind_job.h"
#include "lua_script.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>

#define BURST_NS (10u * 1000000000ull)
#define LONGEST_MS 60000

struct trial {
  struct job job;
  int function, results; /* registry slots */
  bool ended;
  enum job_end end;
  char what[1024];
};

static struct trial *trial_of(struct job *job)
{
  return (struct trial *)((char *)job - offsetof(struct trial, job));
}

static void on_trial_end(struct job *job, enum job_end end, const char *what)
{
  struct trial *trial = trial_of(job);
  trial->ended = true;
  trial->end = end;
  snprintf(trial->what, sizeof trial->what, "%s", what ? what : "an error that is no text");
}

/* results -> []: kept as { n =, ... } */
static int after_trial(lua_State *L, int status, lua_KContext ctx)
{
  struct trial *trial = (struct trial *)ctx;
  int n = lua_gettop(L);
  (void)status;
  lua_createtable(L, n, 1);
  lua_insert(L, 1);
  for (int i = n; i; i--) lua_rawseti(L, 1, i);
  lua_pushinteger(L, n);
  lua_setfield(L, 1, "n");
  trial->results = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

static int trial_main(lua_State *L)
{
  struct trial *trial = trial_of(job_self(L));
  lua_settop(L, 0);
  lua_rawgeti(L, LUA_REGISTRYINDEX, trial->function);
  lua_callk(L, 0, LUA_MULTRET, (lua_KContext)trial, after_trial);
  return after_trial(L, LUA_OK, (lua_KContext)trial);
}

static void on_time(uv_timer_t *timer)
{
  *(bool *)timer->data = true;
  uv_stop(timer->loop); /* which else may now wait for its next event, minutes off: timers run before it waits, too */
}

struct guard {
  uv_timer_t timer;
  bool over;
};

static void on_guard_closed(uv_handle_t *handle)
{
  free(handle);
}

/* Turns the loop until `*done`, or for so long. */
static void turn(uv_loop_t *loop, const bool *done, uint64_t ms)
{
  struct guard *guard = calloc(1, sizeof *guard);
  CHECK(guard && !uv_timer_init(loop, &guard->timer));
  guard->timer.data = &guard->over;
  uv_update_time(loop);
  CHECK(!uv_timer_start(&guard->timer, on_time, ms, 0));
  while (!*done && !guard->over) uv_run(loop, UV_RUN_ONCE);
  uv_close((uv_handle_t *)&guard->timer, on_guard_closed);
}

/* T.run(fn): the results of `fn` run as a job, or its error. */
static int l_run(lua_State *L)
{
  struct engine *engine = engine_of(L);
  luaL_checktype(L, 1, LUA_TFUNCTION);
  if (job_self(L)) return luaL_error(L, "T.run inside a job");
  lua_settop(L, 1);
  struct trial *trial = lua_newuserdatauv(L, sizeof *trial, 0);
  *trial = (struct trial){ .results = LUA_NOREF };
  job_init(&trial->job, BURST_NS, on_trial_end);
  lua_pushvalue(L, 1);
  trial->function = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_pushcfunction(L, trial_main);
  uv_update_time(&engine->loop); /* deadlines begin now, however long nothing turned the loop */
  job_start(&trial->job, L);
  if (!trial->ended) turn(&engine->loop, &trial->ended, LONGEST_MS);
  luaL_unref(L, LUA_REGISTRYINDEX, trial->function);
  if (!trial->ended) {
    job_cancel(&trial->job);
    engine_drop_stale(engine);
    return luaL_error(L, "the job did not end in time");
  }
  if (trial->end != JOB_OK) return luaL_error(L, "%s", trial->what);
  lua_rawgeti(L, LUA_REGISTRYINDEX, trial->results);
  luaL_unref(L, LUA_REGISTRYINDEX, trial->results);
  int table = lua_gettop(L);
  lua_getfield(L, table, "n");
  int n = (int)lua_tointeger(L, -1);
  luaL_checkstack(L, n, "too many results");
  for (int i = 1; i <= n; i++) lua_rawgeti(L, table, i);
  return n;
}

/* T.spin(seconds): lets the loop run for so long, in real time. */
static int l_spin(lua_State *L)
{
  static const bool never = false;
  lua_Number seconds = luaL_checknumber(L, 1);
  luaL_argcheck(L, seconds >= 0 && seconds * 1000 <= LONGEST_MS, 1, "out of range");
  if (job_self(L)) return luaL_error(L, "T.spin inside a job");
  turn(&engine_of(L)->loop, &never, (uint64_t)(seconds * 1000));
  return 0;
}

/* T.handles(): how many handles the loop has; T.waits(): how many parked jobs. */
static int l_handles(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)engine_handles(engine_of(L)));
  return 1;
}

static int l_waits(lua_State *L)
{
  const struct engine *engine = engine_of(L);
  lua_Integer n = 0;
  for (const struct wait *wait = engine->waits.head; wait; wait = wait->next) n++;
  for (const struct wait *wait = engine->run ? engine->run->waits.head : NULL; wait;
    wait = wait->next)
    n++;
  lua_pushinteger(L, n);
  return 1;
}

/* T.workers(mode): what the workers are that start after the next script.setup: "" as in serin, with
 * the table `attack` for scripts; "unconfined" as if the kernel had no filter; "untimed" without the
 * timer by which a worker ends itself. T.worker_pids(): of those that run. */
static int l_workers(lua_State *L)
{
  static const char *const modes[] = { "", "unconfined", "untimed", NULL };
  lua_script_mode(L, modes[luaL_checkoption(L, 1, "", modes)]);
  return 0;
}

static int l_worker_pids(lua_State *L)
{
  int pids[POOL_WORKERS_MAX];
  const struct pool *pool = lua_script_pool(L);
  size_t n = pool ? pool_pids(pool, pids, POOL_WORKERS_MAX) : 0;
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    lua_pushinteger(L, pids[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* T.kill(pid): as the kernel would when memory is short. */
static int l_kill(lua_State *L)
{
  lua_Integer pid = luaL_checkinteger(L, 1);
  luaL_argcheck(L, pid > 1 && pid <= INT_MAX, 1, "out of range");
  lua_pushboolean(L, !uv_kill((int)pid, SIGKILL));
  return 1;
}

static const luaL_Reg functions[] = {
  { "kill",    l_kill },
  { "workers", l_workers },
  { "worker_pids", l_worker_pids },
  { "run",     l_run },
  { "spin",    l_spin },
  { "handles", l_handles },
  { "waits",   l_waits },
  { NULL, NULL },
};

void lua_test_add(lua_State *L)
{
  luaL_setfuncs(L, functions, 0);
}
