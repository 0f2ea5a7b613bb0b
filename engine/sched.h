/* sched.h - whose turn, and when: one entry per object of the scheduled kind.
 *
 *   IDLE --due, or something it looked at changed--> QUEUED --a place is free--> RUNNING --> IDLE
 *
 * A change while RUNNING runs the tick once more afterwards. Entries queue in the order of their
 * reasons and at most `max_running` tick at a time, so nobody starves. A tick that fails is
 * repeated alone, with back-off; nothing it does reaches another entry. All delays are in engine
 * time. */
#ifndef ENGINE_SCHED_H
#define ENGINE_SCHED_H

#include "cache.h"
#include "job.h"

struct sched;

#define SCHED_BUCKETS 12

struct sched_options {
  lua_State *L;
  struct clock *clock;
  struct cache *cache;
  const struct log *log;
  const struct kind *kind;
  int tick, forget;       /* registry slots of the Lua functions; forget may be LUA_NOREF */
  unsigned max_running;
};

/* Follows the kind. NULL with `why`. */
struct sched *sched_new(const struct sched_options *options, struct reason *why);

/* No tick begins any more; those under way may end. */
void sched_drain(struct sched *sched);

/* Drops what is under way too, except a tick that is calling right now. */
void sched_stop(struct sched *sched);

/* After sched_stop, not from inside a callback or a tick. */
void sched_free(struct sched *sched);

/* For the bindings: whose tick this is; NULL when the job is no tick of a running scheduler. */
struct looker *sched_looker(struct job *job);

/* The job is a tick that outlived its scheduler. */
bool sched_left_behind(struct job *job);

/* The tick asked the cluster for something: it wrote, or was told to wait. */
void sched_wrote(struct job *job);
void sched_throttled(struct job *job, double seconds);

struct sched_stats {
  size_t entries, running, queued;
  unsigned long ticks, errors, repeats;
  double late_now;                       /* how late the most overdue entry is at this moment */
  double late_max, late_sum;             /* of ticks that were due, when they began */
  unsigned long late_count[SCHED_BUCKETS + 1];
};
void sched_stats(const struct sched *sched, struct sched_stats *stats);

/* The upper ends of the buckets of late_count, in seconds; the last has none. */
extern const double sched_buckets[SCHED_BUCKETS];

#endif
