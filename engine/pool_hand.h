/* pool_hand.h - one worker process, seen from the engine. Inside of the pool.
 *
 *   STARTING --hello--> READY --lost--> freed when its last handle is closed */
#ifndef ENGINE_POOL_HAND_H
#define ENGINE_POOL_HAND_H

#include "frame.h"
#include "pool.h"
#include "quarantine.h"

#define HAND_RUNS 8        /* at once in one worker */
#define HAND_MEMORY (64u << 20) /* bytes that they may have in all */
#define HAND_CHUNK_BYTES (64u << 10)

/* LATE: its worker is lost, and the call that it made there is still under way. */
enum pool_run_state { POOL_QUEUED, POOL_RUNNING, POOL_CALLING, POOL_LATE, POOL_ENDED };

struct hand;

struct pool_run {
  uv_timer_t deadline; /* the struct is freed when it is closed */
  struct pool *pool;
  struct hand *hand;   /* RUNNING, CALLING */
  uint32_t id, burst_us, memory;
  enum pool_run_state state;
  struct buf frame;    /* FRAME_RUN, to be sent again */
  char name[POOL_NAME_SIZE], sha256[POOL_SHA_SIZE];
  char calls[POOL_CALLS_MAX][POOL_CALL_SIZE], call[POOL_CALL_SIZE];
  size_t calls_n;
  unsigned calls_made, calls_most, losses;
  uint64_t deadline_ms;
  bool tenant;
  struct pool_events events;
  void *data;
  struct pool_run *next, **link; /* in the queue, in the hand's list, or among the late ones */
};

/* A frame that has no answer yet. */
struct due {
  struct pool_run *run; /* NULL: cancelled meanwhile */
  uint32_t id, burst_us;
  char name[POOL_NAME_SIZE], sha256[POOL_SHA_SIZE];
};

struct hand {
  uv_process_t process;
  uv_pipe_t pipe;
  uv_timer_t watch;
  struct pool *pool;
  unsigned slot, handles;
  bool ready, exited, ended, lost;
  int64_t exit_status;
  int signal;
  struct reason unconfined;     /* why; "" when it is confined */
  struct buf in;
  struct pool_run *runs;
  struct due due[HAND_RUNS];    /* oldest first */
  size_t due_n;
  uint64_t since_ms, since_ns;  /* loop's time and the worker's CPU when the first due began */
  unsigned long taken, finished;
  char chunk[HAND_CHUNK_BYTES];
};

struct pool {
  uv_timer_t turn;              /* hands out runs in a later turn of the loop */
  unsigned handles;
  struct pool_options options;
  struct hand *hands[POOL_WORKERS_MAX];
  unsigned failures[POOL_WORKERS_MAX];   /* workers of that slot that finished no run, in a row */
  uint64_t not_before[POOL_WORKERS_MAX];
  struct reason trouble;        /* why the last worker did not start */
  struct pool_run *queue, *late;
  unsigned runs;
  unsigned long ended, killed;
  uint32_t last_id;
  struct quarantine quarantine;
};

/* NULL with `why`. */
struct hand *hand_start(struct pool *pool, unsigned slot, struct reason *why);

/* It computes nothing and may have another run, of so many bytes. */
bool hand_is_free(const struct hand *hand, uint32_t memory);

/* It has served for so long that a fresh one should come. */
bool hand_is_old(const struct hand *hand);

unsigned hand_load(const struct hand *hand);

/* Moves the run, which is in no list, to it. */
void hand_take(struct hand *hand, struct pool_run *run);

/* Sends a frame that has an answer. */
void hand_ask(struct hand *hand, struct pool_run *run, const struct buf *frame);

/* Takes the run away; the worker drops it. */
void hand_forget(struct hand *hand, struct pool_run *run);

/* Kills the process. With a `cause` the run that computes is to blame, at `line` of its script;
 * without one nobody is. All runs leave it. */
void hand_lose(struct hand *hand, const struct reason *cause, int line);

/* What the hand asks of the pool (pool.c) -------------------------------------------------------- */

void pool_link(struct pool_run **head, struct pool_run *run);
void pool_unlink(struct pool_run *run);
void pool_end(struct pool_run *run, const json_t *result, const struct reason *why);
void pool_turn(struct pool *pool, uint64_t ms);

/* The hand is out of use; `head` is what it computed, or NULL. */
void pool_lost(struct hand *hand, const struct due *head, const struct reason *cause);

#endif
