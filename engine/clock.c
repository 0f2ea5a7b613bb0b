#include "clock.h"

#include "reason.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#define MAX_RATE 1e6
#define LONGEST_MS 1e9 /* a later time is looked at again then */

static double real_monotonic(void)
{
  return (double)uv_hrtime() / 1e9;
}

static double rate_of_environment(void)
{
  const char *text = getenv("SERIN_CLOCK_RATE");
  double rate = text ? strtod(text, NULL) : 1;
  return rate > 0 && rate <= MAX_RATE ? rate : 1;
}

void clock_init(struct clock *clock, uv_loop_t *loop)
{
  double now = real_monotonic();
  *clock = (struct clock){ .loop = loop, .rate = rate_of_environment(), .base = now, .since = now };
}

double clock_monotonic(const struct clock *clock)
{
  return clock->base + (real_monotonic() - clock->since) * clock->rate;
}

double clock_now(const struct clock *clock)
{
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  double wall = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
  return wall + (clock_monotonic(clock) - real_monotonic());
}

static void on_uv(uv_timer_t *uv);

static void arm(struct clock_timer *timer)
{
  struct clock *clock = timer->clock;
  double ms = ceil((timer->due - clock_monotonic(clock)) / clock->rate * 1000);
  uv_update_time(clock->loop); /* it is as old as the callback that runs now */
  if (ms > LONGEST_MS) ms = LONGEST_MS;
  CHECK(!uv_timer_start(&timer->uv, on_uv, ms > 0 ? (uint64_t)ms : 0, 0));
}

static void on_uv(uv_timer_t *uv)
{
  struct clock_timer *timer = uv->data;
  if (clock_monotonic(timer->clock) < timer->due) {
    arm(timer);
    return;
  }
  clock_timer_stop(timer);
  timer->on_due(timer);
}

void clock_set_rate(struct clock *clock, double rate)
{
  double now = real_monotonic();
  CHECK(rate > 0);
  clock->base += (now - clock->since) * clock->rate;
  clock->since = now;
  clock->rate = rate < MAX_RATE ? rate : MAX_RATE;
  for (struct clock_timer *timer = clock->timers; timer; timer = timer->next) arm(timer);
}

void clock_timer_init(
  struct clock_timer *timer, struct clock *clock, clock_timer_cb *on_due, void *data)
{
  *timer = (struct clock_timer){ .clock = clock, .on_due = on_due, .data = data };
  CHECK(!uv_timer_init(clock->loop, &timer->uv));
  timer->uv.data = timer;
}

void clock_timer_at(struct clock_timer *timer, double due)
{
  timer->due = due;
  if (!timer->link) {
    struct clock *clock = timer->clock;
    timer->next = clock->timers;
    timer->link = &clock->timers;
    if (timer->next) timer->next->link = &timer->next;
    clock->timers = timer;
  }
  arm(timer);
}

void clock_timer_stop(struct clock_timer *timer)
{
  if (timer->link) {
    *timer->link = timer->next;
    if (timer->next) timer->next->link = timer->link;
    timer->link = NULL;
  }
  uv_timer_stop(&timer->uv);
}

static void on_closed(uv_handle_t *uv)
{
  struct clock_timer *timer = uv->data;
  if (timer->on_closed) timer->on_closed(timer);
}

void clock_timer_close(struct clock_timer *timer, clock_timer_cb *closed)
{
  clock_timer_stop(timer);
  timer->on_closed = closed;
  uv_close((uv_handle_t *)&timer->uv, on_closed);
}
