/* worker_run.h - one run of a custom script: a Lua state of its own, in the worker.
 *
 *   run_new --run_start--> COMPUTING --calls the engine--> CALLING --run_answer--> COMPUTING
 *                              |
 *                              +--> DONE, FAILED: run_free
 *
 * A run that computes for too long is left by longjmp from the count hook and never entered again:
 * an error would be caught by pcall, and a yield ends at the script's own coroutine.resume or is
 * impossible inside a comparator. The state may be in the middle of anything then; it is not closed,
 * its memory is freed. So nothing in it may own what is outside of it: `owned` is for that. */
#ifndef ENGINE_WORKER_RUN_H
#define ENGINE_WORKER_RUN_H

#include "json_lua.h"
#include "worker_heap.h"

#include <setjmp.h>
#include <stdint.h>

#define RUN_NAME_SIZE 128
#define RUN_ENTRY_SIZE 64
#define RUN_CALL_SIZE 64
#define RUN_CALLS 32
#define RUN_SOURCE_MAX_BYTES (64u << 10)

/* Of an argument; of a result and of what goes through a call. */
#define RUN_ARGUMENT_LIMITS ((struct json_limits){ 64u << 10, 1u << 20 })
#define RUN_RESULT_LIMITS ((struct json_limits){ 16u << 10, 256u << 10 })

struct run_order {
  uint32_t id;
  char name[RUN_NAME_SIZE], entry[RUN_ENTRY_SIZE]; /* entry "": what the chunk returns is called */
  const char *source, *argument;                   /* borrowed; needed by run_start only */
  size_t source_len, argument_len;
  uint32_t burst_us, budget_us, memory, seed;
  uint32_t calls_n;
  char calls[RUN_CALLS][RUN_CALL_SIZE];            /* "prom.query" */
};

enum run_state { RUN_READY, RUN_CALLING, RUN_DONE, RUN_FAILED };

struct script_run {
  struct run_order order;
  struct heap heap;
  lua_State *L, *co;
  lua_State *now;       /* the coroutine that computes */
  jmp_buf leave;
  uint64_t used_ns;     /* CPU of the bursts before this one */
  uint64_t start_ns;    /* CPU when this burst began */
  uint64_t look_ns;     /* when to look at the CPU clock next, on the wall's clock */
  uint64_t most_ns;     /* of this burst */
  enum run_state state;
  char call[RUN_CALL_SIZE];
  json_t *owned;        /* what is in the hands of a function */
  struct buf text;      /* JSON of the call's arguments, or of the result */
  const json_t *answer; /* results of the call, a list; during run_answer only */
  const char *raise;    /* or its error */
  struct reason why;    /* of the failure */
  int line;             /* where, 0: not known */
  void (*library)(lua_State *L); /* adds to the globals; for specs */
  struct script_run *next;
};

/* NULL: no memory. `library` may be NULL. */
struct script_run *run_new(const struct run_order *order, void (*library)(lua_State *L));
void run_free(struct script_run *run);

/* Both compute until the next state. `results` is a list, or `raise` a text. */
void run_start(struct script_run *run);
void run_answer(struct script_run *run, const json_t *results, const char *raise);

/* The line in which the script is, 0 when none is known; allocates nothing. */
int run_line(lua_State *co, const char *name);

/* Inside (worker_call.c, worker_co.c, worker_json.c, worker_lib.c) ------------------------------- */

struct script_run *run_of(lua_State *L);

/* Leaves the run when its time is over. */
void run_look(lua_State *L);

/* Installs the count hook; every coroutine needs it. */
void run_watch(lua_State *co);

/* Makes what a script may use the globals of the state. */
void worker_lib_open(lua_State *L);

/* [] -> [table] */
void worker_co_push(lua_State *L);
void worker_json_push(lua_State *L);

/* Adds a function for each granted call to the globals. */
void worker_call_add(lua_State *L, const struct run_order *order);

#endif
