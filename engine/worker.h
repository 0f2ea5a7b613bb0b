/* worker.h - `serin worker`: the process that runs other people's scripts.
 *
 * It serves the frames on descriptor 0 strictly in the order in which they come, one answer (CALL,
 * DONE or FAIL) for each RUN, ANSWER and RAISE. So the engine knows which run computes without
 * being told, and a frame out of turn is a forged one. */
#ifndef ENGINE_WORKER_H
#define ENGINE_WORKER_H

#include <lua.h>
#include <stdbool.h>

#define WORKER_COMMAND "worker"
#define WORKER_GRACE_US 100000 /* CPU after a burst; then a C function does not end: STUCK */
#define WORKER_CPU_S 240       /* of a whole worker; the pool replaces it long before */

struct worker_options {
  void (*library)(lua_State *L); /* adds to the globals of scripts; NULL but in specs */
  bool without_filter;           /* as if the kernel had no filter */
  bool without_timer;            /* never says STUCK */
};

/* Returns the exit code when descriptor 0 is not the engine's pipe; else it never returns. */
int worker_main(const struct worker_options *options);

/* The loop alone, unconfined: until the pipe's end, or a frame that is none. For a probe. */
bool worker_serve(int fd, const struct worker_options *options);

#endif
