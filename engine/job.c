#include "job.h"

#include "reason.h"

#include <lauxlib.h>
#include <time.h>

#define HOOK_EVERY 100 /* VM instructions between two looks at the clock */

static uint64_t now_ns(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct job *job_self(lua_State *L)
{
  return *(struct job **)lua_getextraspace(L);
}

struct job_ticket job_ticket(const struct job *job)
{
  return (struct job_ticket){ (struct job *)job, job->generation };
}

void job_init(struct job *job, uint64_t burst_ns, job_end_cb *on_end)
{
  *job = (struct job){ .slot = LUA_NOREF, .burst_ns = burst_ns, .on_end = on_end };
}

/* A yield passes through pcall, xpcall and __close; an error does not. So an
 * overrun is parked and never resumed. Where Lua cannot yield (inside a C
 * callback) the error repeats at every instruction until it can. */
static void overrun_hook(lua_State *L, lua_Debug *ar)
{
  struct job *job = job_self(L);
  (void)ar;
  if (!job) luaL_error(L, "a script may not run coroutines of its own");
  if (now_ns() < job->deadline_ns) return;
  job->overrun = true;
  lua_sethook(L, overrun_hook, LUA_MASKCOUNT, 1);
  if (lua_isyieldable(L)) {
    lua_yield(L, 0);
    return;
  }
  luaL_error(L, "script ran too long");
}

/* Makes the job idle and hands its registry slot to the caller. */
static int detach(struct job *job)
{
  int slot = job->slot;
  *(struct job **)lua_getextraspace(job->co) = NULL;
  lua_sethook(job->co, NULL, 0, 0);
  job->co = NULL;
  job->slot = LUA_NOREF;
  job->generation++; /* every ticket is stale now, even during on_end */
  job->state = JOB_ENDED;
  return slot;
}

static void end(struct job *job, enum job_end how)
{
  lua_State *home = job->home, *co = job->co;
  const char *what = NULL;
  if (how == JOB_FAILED && lua_type(co, -1) == LUA_TSTRING) what = lua_tostring(co, -1);
  if (how == JOB_OVERRUN) what = "script ran too long";
  if (how == JOB_NOMEM) what = "script used too much memory";
  int slot = detach(job);
  job->on_end(job, how, what); /* may start the job again */
  luaL_unref(home, LUA_REGISTRYINDEX, slot);
}

static void resume(struct job *job, lua_State *from)
{
  int nresults;
  job->state = JOB_RUNNING;
  job->deadline_ns = now_ns() + job->burst_ns;
  lua_sethook(job->co, overrun_hook, LUA_MASKCOUNT, HOOK_EVERY);
  int status = lua_resume(job->co, from, 0, &nresults);
  if (job->overrun) { end(job, JOB_OVERRUN); return; }
  switch (status) {
  case LUA_OK: end(job, JOB_OK); return;
  case LUA_YIELD: job->state = JOB_WAITING; return;
  case LUA_ERRMEM: end(job, JOB_NOMEM); return;
  default: end(job, JOB_FAILED); return;
  }
}

/* function -> slot; runs protected, because both calls may run out of memory */
static int open_thread(lua_State *L)
{
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  lua_pushinteger(L, luaL_ref(L, LUA_REGISTRYINDEX));
  return 1;
}

void job_start(struct job *job, lua_State *L)
{
  lua_pushcfunction(L, open_thread);
  lua_insert(L, -2);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
    lua_pop(L, 1);
    job->on_end(job, JOB_NOMEM, "script used too much memory");
    return;
  }
  job->slot = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, job->slot);
  job->co = lua_tothread(L, -1);
  lua_pop(L, 1);
  job->home = L;
  *(struct job **)lua_getextraspace(job->co) = job;
  job->overrun = false;
  job->generation++;
  resume(job, L);
}

static int deliver(lua_State *L, int status, lua_KContext ctx)
{
  struct job *job = (struct job *)ctx;
  (void)status;
  return job->push ? job->push(L, job->result) : 0;
}

int job_await(lua_State *L)
{
  struct job *job = job_self(L);
  if (!job || !lua_isyieldable(L))
    return luaL_error(L, "this call has to wait, and here it cannot");
  return lua_yieldk(L, 0, (lua_KContext)job, deliver);
}

bool job_wake(struct job_ticket ticket, job_push_fn *push, const void *result)
{
  struct job *job = ticket.job;
  if (job->generation != ticket.generation || job->state != JOB_WAITING) return false;
  job->push = push;
  job->result = result;
  resume(job, NULL);
  return true;
}

void job_cancel(struct job *job)
{
  CHECK(job->state != JOB_RUNNING);
  if (job->co) luaL_unref(job->home, LUA_REGISTRYINDEX, detach(job));
}
