/* clock.h - the engine's time, which may run faster than the wall's.
 *
 *   now = wall + gained        gained grows by (rate - 1) for every second that passes
 *
 * The rate is 1 unless SERIN_CLOCK_RATE in the environment or clock_set_rate says otherwise; the
 * demo and specs use that. Timers here are in engine time and follow a change of the rate; network
 * time-outs are real time and belong elsewhere. A timer never fires early. */
#ifndef ENGINE_CLOCK_H
#define ENGINE_CLOCK_H

#include <stdbool.h>
#include <uv.h>

struct clock_timer;

struct clock {
  uv_loop_t *loop;
  double rate;
  double base, since;          /* engine's monotonic time at `since` of the real one */
  struct clock_timer *timers;  /* that are armed */
};

typedef void clock_timer_cb(struct clock_timer *timer);

struct clock_timer {
  uv_timer_t uv;
  struct clock *clock;
  clock_timer_cb *on_due, *on_closed;
  void *data;
  double due;
  struct clock_timer *next, **link; /* armed: where it is linked from */
};

void clock_init(struct clock *clock, uv_loop_t *loop);

/* Seconds since the epoch; seconds of a clock that never goes back. */
double clock_now(const struct clock *clock);
double clock_monotonic(const struct clock *clock);

/* From now on; `rate` is greater than 0. */
void clock_set_rate(struct clock *clock, double rate);

void clock_timer_init(
  struct clock_timer *timer, struct clock *clock, clock_timer_cb *on_due, void *data);

/* At a time of clock_monotonic; a timer that was armed is moved. */
void clock_timer_at(struct clock_timer *timer, double due);
void clock_timer_stop(struct clock_timer *timer);

/* Stops it; `on_closed` (may be NULL) frees what the timer is embedded in. */
void clock_timer_close(struct clock_timer *timer, clock_timer_cb *on_closed);

#endif
