/* wait.h - what a parked job waits for, in a list, so that it can be given up.
 *
 * An operation embeds a `struct wait`, links it when it starts and unlinks it when it completes,
 * just before job_wake. So no operation outlives the job struct that its ticket names. */
#ifndef ENGINE_WAIT_H
#define ENGINE_WAIT_H

#include "job.h"

#include <uv.h>

struct wait {
  struct job_ticket ticket;
  void (*cancel)(struct wait *wait); /* stops the operation and frees it; wakes nobody */
  struct wait *next, **link;
};

struct waits {
  uv_loop_t *loop;
  struct wait *head;
};

void wait_add(
  struct waits *waits, struct wait *wait, const struct job *job, void (*cancel)(struct wait *wait));
void wait_remove(struct wait *wait);

/* Gives up those whose run is over. Call it after job_cancel and before the job's struct goes. */
void waits_drop_stale(struct waits *waits);

/* Gives up all; a run that is not over gets nil, `text` (a constant), "CANCELLED" in a later turn
 * of the loop, until when it waits in `others`. */
void waits_cancel(struct waits *waits, struct waits *others, const char *text);

#endif
