/* pool.h - the workers: started when there is something to run, fed, timed, killed and replaced.
 *
 *   run     QUEUED --> RUNNING <--> CALLING --> ended, on_end
 *              ^          |            |
 *              +----------+------------+   its worker is lost: again, in another one; from CALLING
 *                                          when the call has been answered
 *
 * A worker answers strictly in order, so the oldest frame without an answer names the run that
 * computes. When a worker is lost (a signal, a forged frame, more CPU than a burst may have) that
 * run is to blame: for certain when it was alone in it. Otherwise its script is a suspect, and runs
 * alone from then on, until it has ended well or is caught. Who is caught is quarantined, by name
 * and sha256. A run that was not to blame starts again, and so makes its calls again.
 *
 * Callbacks come from the loop, never from inside a function of this module. */
#ifndef ENGINE_POOL_H
#define ENGINE_POOL_H

#include "json.h"
#include "log.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define POOL_WORKERS_MAX 16
#define POOL_CALLS_MAX 32          /* functions that one script is granted */
#define POOL_NAME_SIZE 128
#define POOL_ENTRY_SIZE 64
#define POOL_CALL_SIZE 64
#define POOL_SHA_SIZE 65
#define POOL_SOURCE_MAX_BYTES (64u << 10)

struct pool;
struct pool_run;

struct pool_options {
  uv_loop_t *loop;
  const struct log *log;   /* outlives the pool */
  unsigned workers;        /* processes, at most */
  unsigned queue;          /* runs at once, at most; more are REFUSED */
  uint64_t quarantine_ms;  /* the first time; doubled with each further one */
  const char *mode;        /* a second argument for `worker`, for specs; NULL */
};

struct pool_order {
  const char *name, *sha256, *entry; /* entry "": the chunk returns the function */
  const char *source, *argument;     /* argument: JSON */
  size_t source_len, argument_len;
  const char *calls[POOL_CALLS_MAX];
  size_t calls_n;
  uint32_t burst_us, budget_us;      /* CPU between two calls, and in all */
  uint32_t memory;                   /* bytes */
  uint32_t seed;                     /* of math.random */
  uint64_t deadline_ms;              /* of everything, waiting included */
  unsigned calls_most;               /* so often may it call */
  bool tenant;                       /* only where workers are confined */
};

struct pool_events {
  /* The script calls a function that it was granted; pool_answer or pool_raise must follow, in a
   * later turn or at once. `arguments` is a list, borrowed. */
  void (*on_call)(void *data, const char *name, const json_t *arguments);
  /* Exactly once, the last one; either `result` (borrowed) or `why`. */
  void (*on_end)(void *data, const json_t *result, const struct reason *why);
};

struct pool_stats {
  unsigned queued, running, workers, quarantined;
  unsigned long ended, killed; /* runs; workers */
};

/* NULL with `why`. */
struct pool *pool_new(const struct pool_options *options, struct reason *why);

/* Kills the workers. Runs end without a callback; pool_cancel on them is not allowed any more. */
void pool_free(struct pool *pool);

/* NULL with `why`: QUARANTINED, REFUSED, TOO_LARGE, NO_MEMORY. `order` is copied. */
struct pool_run *pool_start(struct pool *pool, const struct pool_order *order,
  const struct pool_events *events, void *data, struct reason *why);

/* The results of a call as a JSON list, or the text of an error that it raised. */
void pool_answer(struct pool_run *run, const char *results, size_t len);
void pool_raise(struct pool_run *run, const char *text);

/* No callback follows. Not after on_end. */
void pool_cancel(struct pool_run *run);

struct pool_stats pool_stats(const struct pool *pool);

/* The process ids of the workers that run; gives their number, at most `most`. For specs. */
size_t pool_pids(const struct pool *pool, int *pids, size_t most);

#endif
