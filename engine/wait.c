#include "wait.h"

#include "reason.h"

#include <stdlib.h>

void wait_add(
  struct waits *waits, struct wait *wait, const struct job *job, void (*cancel)(struct wait *wait))
{
  *wait = (struct wait){ job_ticket(job), cancel, waits->head, &waits->head };
  if (wait->next) wait->next->link = &wait->next;
  waits->head = wait;
}

void wait_remove(struct wait *wait)
{
  *wait->link = wait->next;
  if (wait->next) wait->next->link = wait->link;
}

static bool is_stale(struct job_ticket ticket)
{
  return ticket.job->generation != ticket.generation;
}

void waits_drop_stale(struct waits *waits)
{
  for (struct wait *wait = waits->head, *next; wait; wait = next) {
    next = wait->next;
    if (!is_stale(wait->ticket)) continue;
    wait_remove(wait);
    wait->cancel(wait);
  }
}

/* A run that waits for nothing any more and is told so by a timer. */
struct told {
  struct wait wait;
  uv_timer_t uv;
  const char *text;
};

static int push_told(lua_State *L, const void *text)
{
  lua_pushnil(L);
  lua_pushstring(L, text);
  lua_pushstring(L, status_name(CANCELLED));
  return 3;
}

static void on_told_closed(uv_handle_t *uv)
{
  free(uv->data);
}

static void cancel_told(struct wait *wait)
{
  struct told *told = (struct told *)wait; /* its first member */
  uv_close((uv_handle_t *)&told->uv, on_told_closed);
}

static void on_told(uv_timer_t *uv)
{
  struct told *told = uv->data;
  wait_remove(&told->wait);
  uv_close((uv_handle_t *)uv, on_told_closed);
  job_wake(told->wait.ticket, push_told, told->text);
}

static void tell(struct waits *waits, struct job_ticket ticket, const char *text)
{
  struct told *told = calloc(1, sizeof *told);
  CHECK(told);
  CHECK(!uv_timer_init(waits->loop, &told->uv));
  told->uv.data = told;
  told->text = text;
  wait_add(waits, &told->wait, ticket.job, cancel_told);
  CHECK(!uv_timer_start(&told->uv, on_told, 0, 0));
}

void waits_cancel(struct waits *waits, struct waits *others, const char *text)
{
  struct wait *wait = waits->head;
  waits->head = NULL;
  if (wait) wait->link = &wait; /* a list of its own: what is told now may go into the same one */
  while (wait) {
    struct wait *first = wait;
    struct job_ticket ticket = first->ticket;
    wait_remove(first);
    first->cancel(first);
    if (!is_stale(ticket)) tell(others, ticket, text);
  }
}
