/* job.h - one script run: one coroutine, one budget, one owner.
 *
 * The scheduler starts a job, a binding parks it (job_await), an event wakes
 * it (job_wake). The embedded lua_State decides what happens; this file only
 * decides when, and for how long.
 *
 *   READY --start--> RUNNING --await--> WAITING --wake--> RUNNING
 *                       |                                    |
 *                       +------------- ENDED <---------------+
 */
#ifndef ENGINE_JOB_H
#define ENGINE_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <lua.h>

enum job_state { JOB_READY, JOB_RUNNING, JOB_WAITING, JOB_ENDED };
enum job_end { JOB_OK, JOB_FAILED, JOB_OVERRUN, JOB_NOMEM };

struct job;

/* Called exactly once per start. `what` is valid only during the call. */
typedef void job_end_cb(struct job *job, enum job_end end, const char *what);

/* Pushes the result of a finished operation and returns how many values.
 * Runs inside lua_resume, so it may raise: it must not own anything. */
typedef int job_push_fn(lua_State *L, const void *result);

struct job {
  lua_State *home;        /* the state the run belongs to */
  lua_State *co;          /* its coroutine; NULL when idle */
  int slot;               /* registry slot keeping `co` alive */
  enum job_state state;
  uint64_t generation;    /* bumped on every start and end */
  uint64_t burst_ns;      /* longest uninterrupted run allowed */
  uint64_t deadline_ns;   /* end of the current burst */
  bool overrun;
  job_push_fn *push;      /* pending result, set by job_wake */
  const void *result;
  job_end_cb *on_end;
};

/* A right to wake one run, once. It may outlive the run, not the struct. */
struct job_ticket {
  struct job *job;
  uint64_t generation;
};

void job_init(struct job *job, uint64_t burst_ns, job_end_cb *on_end);

/* Takes the function on top of L's stack and runs it until it parks or ends. */
void job_start(struct job *job, lua_State *L);

/* For bindings: the job that is calling, or NULL outside any job. */
struct job *job_self(lua_State *L);
struct job_ticket job_ticket(const struct job *job);

/* For bindings: `return job_await(L);` parks the caller until job_wake. */
int job_await(lua_State *L);

/* For event callbacks: false when the ticket is stale; then nothing happened.
 * Never call it from inside the binding that starts the operation. */
bool job_wake(struct job_ticket ticket, job_push_fn *push, const void *result);

/* Drops the run without calling on_end. Later wakes become stale. Never from inside the run: the
 * coroutine it stands on would be collected under it. */
void job_cancel(struct job *job);

#endif
