#include "lua_clock.h"

#include "bind_job.h"
#include "call.h"
#include "rfc3339.h"

#include <math.h>
#include <stdlib.h>

#define EVERY_MIN_S 0.001
#define SLEEP_MAX_S 1e8

static int l_now(lua_State *L)
{
  lua_pushnumber(L, clock_now(&engine_of(L)->clock));
  return 1;
}

static int l_monotonic(lua_State *L)
{
  lua_pushnumber(L, clock_monotonic(&engine_of(L)->clock));
  return 1;
}

static int push_time(lua_State *L, int digits)
{
  char text[RFC3339_SIZE];
  lua_Number seconds = luaL_checknumber(L, 1);
  luaL_argcheck(L, rfc3339_write(seconds, digits, text), 1, "out of range");
  lua_pushstring(L, text);
  return 1;
}

static int l_rfc3339(lua_State *L) { return push_time(L, 0); }
static int l_rfc3339_micro(lua_State *L) { return push_time(L, 6); }

static int l_parse(lua_State *L)
{
  double seconds;
  size_t len;
  const char *text = bind_bytes(L, 1, 1 << 20, &len);
  if (!rfc3339_read(text, &seconds)) return bind_failf(L, INVALID, "not an RFC 3339 time");
  lua_pushnumber(L, seconds);
  return 1;
}

static int l_rate(lua_State *L)
{
  lua_Number rate = luaL_checknumber(L, 1);
  luaL_argcheck(L, rate > 0 && isfinite(rate), 1, "must be greater than 0");
  clock_set_rate(&engine_of(L)->clock, rate);
  return 0;
}

/* sleep ---------------------------------------------------------------------------------------- */

struct nap {
  struct wait wait;
  struct clock_timer timer;
};

static void on_nap_closed(struct clock_timer *timer)
{
  free(timer->data);
}

static void on_nap_over(struct clock_timer *timer)
{
  struct nap *nap = timer->data;
  struct job_ticket ticket = nap->wait.ticket;
  wait_remove(&nap->wait);
  clock_timer_close(timer, on_nap_closed);
  job_wake(ticket, NULL, NULL);
}

static void cancel_nap(struct wait *wait)
{
  struct nap *nap = (struct nap *)wait; /* its first member */
  clock_timer_close(&nap->timer, on_nap_closed);
}

static int l_sleep(lua_State *L)
{
  lua_Number seconds = luaL_checknumber(L, 1);
  luaL_argcheck(L, seconds >= 0 && seconds <= SLEEP_MAX_S, 1, "out of range");
  struct job *job = bind_job(L);
  struct engine *engine = engine_of(L);
  lua_settop(L, 0);
  struct nap *nap = calloc(1, sizeof *nap);
  if (!nap) return luaL_error(L, "not enough memory");
  wait_add(&engine->waits, &nap->wait, job, cancel_nap);
  clock_timer_init(&nap->timer, &engine->clock, on_nap_over, nap);
  clock_timer_at(&nap->timer, clock_monotonic(&engine->clock) + seconds);
  return job_await(L);
}

/* every ---------------------------------------------------------------------------------------- */

#define EVERY "clock.every"

struct beat {
  struct resource resource;
  struct clock_timer timer;
  struct engine *engine;
  struct beat **box;  /* the userdata that the stopping function holds; NULL once collected */
  double period;
  int function;
};

static void on_beat_closed(struct clock_timer *timer)
{
  free(timer->data);
}

static void close_beat(struct beat *beat)
{
  engine_disown(&beat->resource);
  if (beat->box) *beat->box = NULL;
  beat->box = NULL;
  luaL_unref(beat->engine->L, LUA_REGISTRYINDEX, beat->function);
  clock_timer_close(&beat->timer, on_beat_closed);
}

static void close_resource(struct resource *resource)
{
  close_beat((struct beat *)resource); /* its first member */
}

static int call_beat(lua_State *L)
{
  struct beat *beat = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, beat->function);
  lua_call(L, 0, 0);
  return 0;
}

/* The next one is planned first: the function may stop it. */
static void on_beat(struct clock_timer *timer)
{
  struct beat *beat = timer->data;
  const struct engine *engine = beat->engine;
  double now = clock_monotonic(&engine->clock), next = timer->due + beat->period;
  char text[512];
  clock_timer_at(timer, next > now ? next : now + beat->period);
  if (!call_lua(engine->L, call_beat, beat, text, sizeof text))
    bind_report(engine, "a function of clock.every", text);
}

/* The beat goes on when its stopping function is collected: nobody has to keep it. */
static int beat_gc(lua_State *L)
{
  struct beat **box = luaL_checkudata(L, 1, EVERY);
  if (*box) (*box)->box = NULL;
  *box = NULL;
  return 0;
}

static int stop_beat(lua_State *L)
{
  struct beat **box = lua_touserdata(L, lua_upvalueindex(1));
  if (*box) close_beat(*box);
  return 0;
}

static int l_every(lua_State *L)
{
  lua_Number seconds = luaL_checknumber(L, 1);
  luaL_argcheck(L, seconds >= EVERY_MIN_S && seconds <= SLEEP_MAX_S, 1, "out of range");
  luaL_checktype(L, 2, LUA_TFUNCTION);
  struct engine *engine = engine_of(L);
  lua_settop(L, 2);
  struct beat **box = bind_new(L, EVERY, sizeof(struct beat *));
  lua_pushcclosure(L, stop_beat, 1);
  lua_pushvalue(L, 2);
  int function = luaL_ref(L, LUA_REGISTRYINDEX);
  struct beat *beat = calloc(1, sizeof *beat);
  if (!beat) return luaL_error(L, "not enough memory");
  beat->engine = engine;
  beat->period = seconds;
  beat->function = function;
  beat->box = box;
  *box = beat;
  engine_own(engine, &beat->resource, close_resource);
  clock_timer_init(&beat->timer, &engine->clock, on_beat, beat);
  clock_timer_at(&beat->timer, clock_monotonic(&engine->clock) + seconds);
  return 1;
}

static const luaL_Reg functions[] = {
  { "now",           l_now },
  { "monotonic",     l_monotonic },
  { "rfc3339",       l_rfc3339 },
  { "rfc3339_micro", l_rfc3339_micro },
  { "parse",         l_parse },
  { "sleep",         l_sleep },
  { "every",         l_every },
  { "rate",          l_rate },
  { NULL, NULL },
};

int luaopen_host_clock(lua_State *L)
{
  bind_type(L, EVERY, NULL, beat_gc);
  luaL_newlib(L, functions);
  return 1;
}
