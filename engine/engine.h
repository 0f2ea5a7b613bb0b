/* engine.h - what exists, and in which order it starts and stops.
 *
 *   engine  lives as long as its Lua state: loop, clock, HTTP client, declared kinds, spawned jobs
 *   run     from engine_start to engine_stop: credentials, cache, scheduler, health server
 *
 * Stopping may be asked for from anywhere, also from inside a tick; at once nothing is written any
 * more, and the run's memory is freed in a later turn of the loop. A next start does not wait for
 * it. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "cache.h"
#include "http.h"
#include "kinds.h"
#include "kube.h"
#include "log.h"
#include "sched.h"
#include "server.h"
#include "wait.h"

struct engine;
struct task;

struct engine_options {
  struct kube_options kube;
  const char *routes_kubeconfig;  /* of the cluster of the routes; NULL: the same one */
  const char *space;              /* the only namespace to look at; "" for all */
  const char *api_version, *kind; /* that is scheduled */
  unsigned max_running;
  int port;                       /* of health and metrics, 0 for any; -1 for none */
  int tick, forget, metrics;      /* registry slots, LUA_NOREF for none; engine_start takes them */
};

struct fired;

struct run {
  struct engine *engine;
  struct kube *kube;
  struct kube *routes;            /* may be `kube` itself */
  struct cache *cache;
  struct sched *sched;
  struct server *server;
  struct waits waits;             /* on the cluster */
  struct fired *fired;            /* requests that nobody waits for */
  size_t fired_pending;
  unsigned long fired_lost;
  int tick, forget, metrics;
  bool serving;                   /* inside a request to the health server */
  struct run *next;               /* among those that wait to be freed */
};

/* Something of a binding that must be closed before the loop is. */
struct resource {
  void (*close)(struct resource *resource);
  bool doomed; /* to be closed in a later turn of the loop */
  struct resource *next, **link;
};

struct engine {
  uv_loop_t loop;
  lua_State *L;
  struct log *log;
  struct clock clock;
  struct http *http;
  struct kinds kinds;
  struct waits waits;             /* on everything but the cluster */
  struct run *run;                /* NULL: stopped */
  struct run *stopped;            /* to be freed */
  struct task *tasks;
  struct resource *resources;
  uv_timer_t turn;                /* frees stopped runs, starts spawned jobs */
  uv_timer_t drain;               /* after a signal */
  uint64_t drain_until;
  uv_signal_t interrupt, terminate;
  int on_signal;                  /* registry slot */
  int signals;                    /* so many came */
  bool exiting;
  int exit_code;
};

/* `log` outlives the engine. NULL with `why`. */
struct engine *engine_new(lua_State *L, struct log *log, struct reason *why);

/* Ends what is left and closes the loop; then the Lua state may be closed. */
void engine_free(struct engine *engine);

/* The engine of a Lua state. */
struct engine *engine_of(lua_State *L);

enum status must_check engine_start(struct engine *engine, const struct engine_options *options,
  struct reason *why);
void engine_stop(struct engine *engine);

/* Makes engine_loop return. */
void engine_exit(struct engine *engine, int code);

/* Runs the loop until engine_exit, or until nothing is left to do; gives the exit code. */
int engine_loop(struct engine *engine);

/* SIGINT and SIGTERM: the first lets ticks, spawned jobs and events end, for 5 s at most, then
 * exits with 0; the second exits with 1. With a Lua function in the registry slot `handler` that is
 * called instead at the first. */
void engine_signals(struct engine *engine, int handler);

/* Runs the function in the registry slot as a job, from the loop's next turn on. Takes the slot. */
enum status must_check engine_spawn(struct engine *engine, int function);

/* After a job of one's own was cancelled, and before its struct goes. */
void engine_drop_stale(struct engine *engine);

void engine_own(
  struct engine *engine, struct resource *resource, void (*close)(struct resource *resource));
void engine_disown(struct resource *resource);
void engine_doom(struct engine *engine, struct resource *resource);

/* Of all API servers the run talks to. */
struct kube_counts engine_counts(const struct run *run);

/* Open handles of the loop, those of the engine itself included. */
size_t engine_handles(const struct engine *engine);

/* One request, and nobody waits for its answer; failures are logged and counted. */
enum status must_check engine_fire(
  struct run *run, const struct kube_call *call, struct reason *why);

/* Inside (engine_tasks.c, engine_health.c) ----------------------------------------------------- */

/* Something is left for a later turn of the loop. */
void engine_turn(struct engine *engine);

void engine_drop_fired(struct run *run);

void tasks_start(struct engine *engine);
void tasks_cancel(struct engine *engine);
void health_on_request(void *data, const struct server_request *request);

#endif
