/* sched_entry.h - the inside of sched.h. */
#ifndef ENGINE_SCHED_ENTRY_H
#define ENGINE_SCHED_ENTRY_H

#include "sched.h"

enum entry_state { ENTRY_IDLE, ENTRY_QUEUED, ENTRY_RUNNING };
enum entry_cause { CAUSE_START, CAUSE_CHANGE, CAUSE_DUE, CAUSE_RETRY };

/* What a tick gave back. */
struct tick_result {
  bool done, good, failed;      /* returned at all; something legal; nil, message, CODE */
  double after;                 /* seconds, < 0: only when something changes */
  enum status code;
  char text[256];
};

struct entry {
  struct job job;
  struct looker looker;
  struct sched *sched;
  char *space, *name;
  const char *key;              /* the map's */
  enum entry_state state;
  enum entry_cause cause, planned; /* of this tick; of the one that `due` is for */
  bool dirty;
  bool removed, reborn;         /* its object is gone; and there again */
  double due;                   /* engine's monotonic time */
  size_t place;                 /* in the heap, from 1; 0: not in it */
  unsigned failures, conflicts;
  bool wrote;
  double throttled;
  struct tick_result result;
  struct entry *next;           /* in the queue, or among the doomed */
};

struct sched {
  struct sched_options options;
  struct map entries;
  struct entry **heap;          /* by due; [1] is the next */
  size_t heap_len, heap_cap;
  struct entry *first, *last;   /* the queue */
  struct entry *doomed;
  struct clock_timer timer;     /* the next due time, or at once when there is work */
  struct sched_stats stats;
  unsigned long started;        /* entries that came with the first list */
  bool draining, stopped, pumping;
};

/* The heap (sched_heap.c). heap_put moves an entry that is in it. */
bool heap_put(struct sched *sched, struct entry *entry, double due);
void heap_remove(struct sched *sched, struct entry *entry);

/* The Lua side (sched_tick.c). */
int tick_main(lua_State *L);
void entry_forget(struct entry *entry);
struct entry *entry_of(struct job *job);
void on_tick_end(struct job *job, enum job_end end, const char *what);

/* 0 <= x < 1 */
double sched_random(void);

/* (sched.c) */
void sched_entry_ended(struct entry *entry);

#endif
