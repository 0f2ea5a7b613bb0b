/* What runs on the engine's behalf and nobody waits for: spawned jobs and fired requests. */
#include "engine.h"

#include <lauxlib.h>
#include <stdlib.h>

#define BURST_NS (10u * 1000000000ull)
#define FIRED_MAX 1000 /* more are dropped, and counted */

struct task {
  struct job job;
  struct engine *engine;
  int function; /* registry slot */
  struct task *next;
};

static struct task *task_of(struct job *job)
{
  return (struct task *)((char *)job - offsetof(struct task, job));
}

static void free_task(struct task *task)
{
  struct task **link = &task->engine->tasks;
  while (*link != task) link = &(*link)->next;
  *link = task->next;
  luaL_unref(task->engine->L, LUA_REGISTRYINDEX, task->function);
  free(task);
}

static void on_task_end(struct job *job, enum job_end end, const char *what)
{
  struct task *task = task_of(job);
  if (end != JOB_OK)
    log_f(
      task->engine->log, LOG_ERROR, "a job failed: %s", what ? what : "an error that is no text");
  free_task(task);
}

static int task_after(lua_State *L, int status, lua_KContext ctx)
{
  (void)L, (void)status, (void)ctx;
  return 0;
}

static int task_main(lua_State *L)
{
  struct task *task = task_of(job_self(L));
  lua_settop(L, 0);
  lua_rawgeti(L, LUA_REGISTRYINDEX, task->function);
  lua_callk(L, 0, 0, 0, task_after);
  return 0;
}

enum status engine_spawn(struct engine *engine, int function)
{
  struct task *task = calloc(1, sizeof *task), **link = &engine->tasks;
  if (!task) return NO_MEMORY;
  *task = (struct task){ .engine = engine, .function = function };
  job_init(&task->job, BURST_NS, on_task_end);
  while (*link) link = &(*link)->next;
  *link = task;
  engine_turn(engine);
  return OK;
}

static struct task *next_ready(const struct engine *engine)
{
  struct task *task = engine->tasks;
  while (task && task->job.state != JOB_READY) task = task->next;
  return task;
}

void tasks_start(struct engine *engine)
{
  struct task *task;
  while ((task = next_ready(engine))) {
    CHECK(lua_checkstack(engine->L, 4));
    lua_pushcfunction(engine->L, task_main);
    job_start(&task->job, engine->L);
  }
}

void tasks_cancel(struct engine *engine)
{
  for (struct task *task = engine->tasks; task; task = task->next) {
    if (task->job.state != JOB_RUNNING) job_cancel(&task->job);
  }
  engine_drop_stale(engine);
  for (struct task *task = engine->tasks, *next; task; task = next) {
    next = task->next;
    if (task->job.state != JOB_RUNNING) free_task(task);
  }
}

/* Requests ------------------------------------------------------------------------------------- */

struct kube_counts engine_counts(const struct run *run)
{
  struct kube_counts counts = kube_counts(run->kube);
  if (run->routes == run->kube) return counts;
  struct kube_counts there = kube_counts(run->routes);
  return (struct kube_counts){ counts.requests + there.requests, counts.errors + there.errors };
}

struct fired {
  struct run *run;
  struct kube_request *request;
  struct fired *next, **link;
};

static void unlink_fired(struct fired *fired)
{
  *fired->link = fired->next;
  if (fired->next) fired->next->link = fired->link;
  fired->run->fired_pending--;
  free(fired);
}

static void on_fired(void *data, const char *body, size_t len, const struct reason *why)
{
  struct fired *fired = data;
  (void)body, (void)len;
  if (why) {
    fired->run->fired_lost++;
    log_f(fired->run->engine->log, LOG_WARN, "an event could not be written: %s", why->text);
  }
  unlink_fired(fired);
}

enum status engine_fire(struct run *run, const struct kube_call *call, struct reason *why)
{
  if (run->fired_pending >= FIRED_MAX) {
    run->fired_lost++;
    return reason_set(why, TOO_LARGE, "too many events are on their way");
  }
  struct fired *fired = calloc(1, sizeof *fired);
  if (!fired) return reason_set(why, NO_MEMORY, "no memory for an event");
  *fired = (struct fired){ run, kube_start(run->kube, call, on_fired, fired, why), run->fired,
    &run->fired };
  if (!fired->request) {
    free(fired);
    return why->code ? why->code : BAD_ANSWER;
  }
  if (fired->next) fired->next->link = &fired->next;
  run->fired = fired;
  run->fired_pending++;
  return OK;
}

void engine_drop_fired(struct run *run)
{
  while (run->fired) {
    kube_cancel(run->fired->request);
    unlink_fired(run->fired);
  }
}
