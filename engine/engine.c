#include "engine.h"

#include "call.h"

#include <lauxlib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define DRAIN_MS 5000
#define CLOSE_TURNS 2000 /* of a millisecond each */

static const char engine_key;

struct engine *engine_of(lua_State *L)
{
  lua_rawgetp(L, LUA_REGISTRYINDEX, &engine_key);
  struct engine *engine = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return engine;
}

/* Runs ----------------------------------------------------------------------------------------- */

static void close_server(struct run *run)
{
  if (run->server) server_free(run->server);
  run->server = NULL;
}

/* At the bottom of the stack only. Also for a run that was never more than half there. */
static void free_run(struct run *run)
{
  struct engine *engine = run->engine;
  lua_State *L = engine->L;
  if (run->sched) sched_stop(run->sched); /* a tick that was calling then may be waiting now */
  waits_cancel(&run->waits, &engine->waits, "the engine is stopped");
  engine_drop_stale(engine);
  close_server(run);
  if (run->sched) sched_free(run->sched);
  if (run->cache) cache_free(run->cache);
  if (run->routes && run->routes != run->kube) kube_free(run->routes);
  if (run->kube) kube_free(run->kube);
  luaL_unref(L, LUA_REGISTRYINDEX, run->tick);
  luaL_unref(L, LUA_REGISTRYINDEX, run->forget);
  luaL_unref(L, LUA_REGISTRYINDEX, run->metrics);
  free(run);
}

static void stop_run(struct run *run)
{
  struct engine *engine = run->engine;
  if (run->sched) sched_stop(run->sched);
  waits_cancel(&run->waits, &engine->waits, "the engine is stopped");
  engine_drop_stale(engine);
  engine_drop_fired(run);
  if (run->cache) cache_stop(run->cache);
  if (!run->serving) close_server(run);
  run->next = engine->stopped;
  engine->stopped = run;
  engine_turn(engine);
}

static void free_stopped(struct engine *engine)
{
  while (engine->stopped) {
    struct run *run = engine->stopped;
    engine->stopped = run->next;
    free_run(run);
  }
}

static void close_doomed(struct engine *engine)
{
  struct resource *resource = engine->resources;
  while (resource && !resource->doomed) resource = resource->next;
  if (!resource) return;
  engine_disown(resource);
  resource->close(resource); /* may close others: look again */
  close_doomed(engine);
}

static void on_turn(uv_timer_t *timer)
{
  struct engine *engine = timer->data;
  free_stopped(engine);
  close_doomed(engine);
  tasks_start(engine);
}

void engine_turn(struct engine *engine)
{
  CHECK(!uv_timer_start(&engine->turn, on_turn, 0, 0));
}

static enum status start_server(struct run *run, int port, struct reason *why)
{
  struct reason cause = { .code = OK };
  if (port < 0) return OK;
  run->server = server_new(&run->engine->loop, "0.0.0.0", port, NULL, health_on_request, run, &cause);
  if (run->server) return OK;
  return reason_set(why, cause.code ? cause.code : UNREACHABLE,
    "cannot listen on port %d for health and metrics: %s", port, cause.text);
}

static enum status reach(struct run *run, const struct engine_options *o, struct reason *why)
{
  struct engine *engine = run->engine;
  run->kube = run->routes = kube_new(&engine->loop, engine->http, &o->kube, why);
  if (!run->kube) return why->code;
  if (!o->routes_kubeconfig) return OK;
  struct kube_options there = o->kube;
  there.kubeconfig = o->routes_kubeconfig;
  run->routes = kube_new(&engine->loop, engine->http, &there, why);
  return run->routes ? OK : why->code;
}

static enum status start_run(struct run *run, const struct engine_options *o, struct reason *why)
{
  struct engine *engine = run->engine;
  const struct kind *kind = kinds_find(&engine->kinds, o->api_version, o->kind, why);
  if (!kind) return why->code;
  struct kind always = *kind;
  always.always = true;
  if (kinds_declare(&engine->kinds, &always, why)) return why->code;
  if (reach(run, o, why)) return why->code;
  if (start_server(run, o->port, why)) return why->code;
  struct cache_options cache = { &engine->loop, &engine->clock, run->kube, run->routes, &engine->kinds,
    engine->log, o->space };
  run->cache = cache_new(&cache, why);
  if (!run->cache) return why->code;
  struct sched_options sched = { engine->L, &engine->clock, run->cache, engine->log, kind, o->tick,
    o->forget, o->max_running };
  run->sched = sched_new(&sched, why);
  return run->sched ? OK : why->code;
}

enum status engine_start(struct engine *engine, const struct engine_options *o, struct reason *why)
{
  struct run *run = calloc(1, sizeof *run);
  CHECK(run && !engine->run);
  *run = (struct run){ .engine = engine,
    .waits.loop = &engine->loop,
    .tick = o->tick,
    .forget = o->forget,
    .metrics = o->metrics };
  reason_set(why, OK, "%s", "");
  if (!start_run(run, o, why)) {
    engine->run = run;
    return OK;
  }
  if (!why->code) reason_set(why, BAD_ANSWER, "the engine cannot start");
  enum status status = why->code;
  stop_run(run);
  return status;
}

void engine_stop(struct engine *engine)
{
  struct run *run = engine->run;
  if (!run) return;
  tasks_cancel(engine);
  engine->run = NULL;
  stop_run(run);
}

void engine_drop_stale(struct engine *engine)
{
  waits_drop_stale(&engine->waits);
  if (engine->run) waits_drop_stale(&engine->run->waits);
}

/* Signals -------------------------------------------------------------------------------------- */

static void on_drain(uv_timer_t *timer)
{
  struct engine *engine = timer->data;
  struct sched_stats stats = { 0 };
  if (engine->run) sched_stats(engine->run->sched, &stats);
  bool busy = stats.running || engine->tasks || (engine->run && engine->run->fired);
  if (busy && uv_now(&engine->loop) < engine->drain_until) return;
  uv_timer_stop(timer);
  engine_stop(engine);
  engine_exit(engine, 0);
}

static int call_handler(lua_State *L)
{
  struct engine *engine = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, engine->on_signal);
  lua_pushstring(L, engine->signals == SIGINT ? "SIGINT" : "SIGTERM");
  lua_call(L, 1, 0);
  return 0;
}

static void on_uv_signal(uv_signal_t *handle, int number)
{
  struct engine *engine = handle->data;
  char text[256];
  if (engine->signals) {
    engine_exit(engine, EXIT_FAILURE);
    return;
  }
  engine->signals = number;
  if (engine->on_signal != LUA_NOREF) {
    if (call_lua(engine->L, call_handler, engine, text, sizeof text)) return;
    log_f(engine->log, LOG_ERROR, "the signal handler failed: %s", text);
  }
  if (engine->run) sched_drain(engine->run->sched);
  engine->drain_until = uv_now(&engine->loop) + DRAIN_MS;
  CHECK(!uv_timer_start(&engine->drain, on_drain, 0, 20));
}

void engine_signals(struct engine *engine, int handler)
{
  luaL_unref(engine->L, LUA_REGISTRYINDEX, engine->on_signal);
  engine->on_signal = handler;
  CHECK(!uv_signal_start(&engine->interrupt, on_uv_signal, SIGINT));
  CHECK(!uv_signal_start(&engine->terminate, on_uv_signal, SIGTERM));
  uv_unref((uv_handle_t *)&engine->interrupt);
  uv_unref((uv_handle_t *)&engine->terminate);
}

/* Life ----------------------------------------------------------------------------------------- */

static int remember(lua_State *L)
{
  lua_pushvalue(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &engine_key);
  return 0;
}

struct engine *engine_new(lua_State *L, struct log *log, struct reason *why)
{
  char text[sizeof why->text];
  struct engine *engine = calloc(1, sizeof *engine);
  CHECK(engine && !uv_loop_init(&engine->loop));
  engine->L = L;
  engine->log = log;
  engine->on_signal = LUA_NOREF;
  engine->waits.loop = &engine->loop;
  clock_init(&engine->clock, &engine->loop);
  CHECK(
    !uv_timer_init(&engine->loop, &engine->turn) && !uv_timer_init(&engine->loop, &engine->drain));
  CHECK(!uv_signal_init(&engine->loop, &engine->interrupt) &&
    !uv_signal_init(&engine->loop, &engine->terminate));
  engine->turn.data = engine->drain.data = engine->interrupt.data = engine->terminate.data = engine;
  engine->http = http_new(&engine->loop, why);
  if (engine->http && call_lua(L, remember, engine, text, sizeof text)) return engine;
  if (engine->http) reason_set(why, NO_MEMORY, "%s", text);
  engine_free(engine);
  return NULL;
}

static void count_handle(uv_handle_t *handle, void *n)
{
  if (!uv_is_closing(handle)) ++*(size_t *)n;
}

size_t engine_handles(const struct engine *engine)
{
  size_t n = 0;
  uv_walk((uv_loop_t *)&engine->loop, count_handle, &n);
  return n;
}

void engine_free(struct engine *engine)
{
  engine_stop(engine);
  tasks_cancel(engine);
  while (engine->resources) {
    struct resource *resource = engine->resources;
    engine_disown(resource);
    resource->close(resource);
  }
  waits_cancel(&engine->waits, &engine->waits, "the engine is stopped");
  free_stopped(engine);
  uv_close((uv_handle_t *)&engine->turn, NULL);
  uv_close((uv_handle_t *)&engine->drain, NULL);
  uv_close((uv_handle_t *)&engine->interrupt, NULL);
  uv_close((uv_handle_t *)&engine->terminate, NULL);
  if (engine->http) http_free(engine->http);
  for (int i = 0; i < CLOSE_TURNS && uv_run(&engine->loop, UV_RUN_NOWAIT); i++) uv_sleep(1);
  CHECK(!uv_loop_close(&engine->loop));
  kinds_close(&engine->kinds);
  free(engine);
}

void engine_exit(struct engine *engine, int code)
{
  engine->exiting = true;
  engine->exit_code = code;
  uv_stop(&engine->loop);
}

int engine_loop(struct engine *engine)
{
  if (!engine->exiting) uv_run(&engine->loop, UV_RUN_DEFAULT);
  return engine->exit_code;
}

void engine_own(
  struct engine *engine, struct resource *resource, void (*close)(struct resource *resource))
{
  *resource = (struct resource){ close, false, engine->resources, &engine->resources };
  if (resource->next) resource->next->link = &resource->next;
  engine->resources = resource;
}

void engine_disown(struct resource *resource)
{
  if (!resource->link) return;
  *resource->link = resource->next;
  if (resource->next) resource->next->link = resource->link;
  resource->link = NULL;
}

void engine_doom(struct engine *engine, struct resource *resource)
{
  resource->doomed = true;
  engine_turn(engine);
}
