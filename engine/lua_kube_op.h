/* lua_kube_op.h - what one call of `kube` needs: the object it is about, and what it waits for. */
#ifndef ENGINE_LUA_KUBE_OP_H
#define ENGINE_LUA_KUBE_OP_H

#include "bind_job.h"

/* What a call is about. Texts are borrowed from the Lua table. */
struct target {
  struct job *job;
  struct engine *engine;
  struct run *run;
  struct cache_ref ref;
  struct reason why; /* when check_target said no */
};

/* A cache look-up or a request that a job waits for; owns copies of what it needs. */
struct op {
  struct wait wait;
  struct run *run;
  struct kube_request *request;
  struct cache_wait look;
  job_push_fn *push;        /* of a look-up; gets a `struct found` */
  bool looking;             /* in the cache's hands */
  bool deletes;
  const struct kind *kind;
  char *space, *name, *uid;
};

/* Reads the reference (or object) at `arg` and finds the job and the run. Raises on wrong types.
 * False with `why` when there is no run or no such kind. */
bool check_target(lua_State *L, int arg, bool object, struct target *target);

struct cache_ref op_ref(const struct op *op);

/* NULL when there is no memory. */
struct op *op_new(const struct target *target, const char *uid);

/* Sends a write; then `return job_await(L)`, with nothing left to free. Takes `op`. */
enum status must_check op_send(
  struct op *op, const struct target *target, const struct kube_call *call, struct reason *why);

/* Looks into the cache, and parks the job if need be: `return op_look(L, ...)`. Takes `op`. */
int op_look(lua_State *L, struct op *op, const struct target *target, job_push_fn *push);

struct found {
  const struct cache *cache;
  struct cache_ref ref;
  struct cache_object object;
};

/* Pushes an object as Lua's own copy, or nil, message, CODE. */
int push_bytes(lua_State *L, const struct cache_object *object);

#endif
