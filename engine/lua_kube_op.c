#include "lua_kube_op.h"

#include "lua_json.h"

#include <stdlib.h>
#include <string.h>

/* Targets -------------------------------------------------------------------------------------- */

/* The table's, or for an object its metadata's. The text stays anchored in the table. */
static const char *field(lua_State *L, int arg, bool object, const char *name)
{
  if (!object) return bind_text(L, arg, name, NULL);
  if (lua_getfield(L, arg, "metadata") != LUA_TTABLE)
    luaL_argerror(L, arg, "field 'metadata': table expected");
  const char *text = bind_text(L, lua_gettop(L), name, NULL);
  lua_pop(L, 1);
  return text;
}

bool check_target(lua_State *L, int arg, bool object, struct target *t)
{
  bind_table(L, arg);
  *t = (struct target){ .job = bind_job(L), .engine = engine_of(L) };
  const char *api_version = bind_text(L, arg, "apiVersion", NULL),
             *kind = bind_text(L, arg, "kind", NULL);
  luaL_argcheck(L, api_version, arg, "field 'apiVersion': string expected");
  luaL_argcheck(L, kind, arg, "field 'kind': string expected");
  t->ref.space = field(L, arg, object, "namespace");
  t->ref.name = field(L, arg, object, "name");
  t->run = sched_left_behind(t->job) ? NULL : t->engine->run;
  if (!t->run) return !reason_set(&t->why, CANCELLED, "the engine is stopped");
  t->ref.kind = kinds_find(&t->engine->kinds, api_version, kind, &t->why);
  if (!t->ref.space || (t->ref.kind && !t->ref.kind->namespaced)) t->ref.space = "";
  return t->ref.kind != NULL;
}

/* Operations ----------------------------------------------------------------------------------- */

struct cache_ref op_ref(const struct op *op)
{
  return (struct cache_ref){ op->kind, op->space, op->name };
}

static void free_op(struct op *op)
{
  free(op->space);
  free(op->name);
  free(op->uid);
  free(op);
}

struct op *op_new(const struct target *t, const char *uid)
{
  struct op *op = calloc(1, sizeof *op);
  if (!op) return NULL;
  *op = (struct op){ .run = t->run, .kind = t->ref.kind, .space = strdup(t->ref.space),
    .name = t->ref.name ? strdup(t->ref.name) : NULL, .uid = strdup(uid) };
  if (op->space && op->uid && (op->name || !t->ref.name)) return op;
  free_op(op);
  return NULL;
}

static void cancel(struct wait *wait)
{
  struct op *op = (struct op *)wait; /* its first member */
  if (op->looking) cache_cancel(&op->look);
  else kube_cancel(op->request);
  free_op(op);
}

/* Pushing: inside the resume, may raise -------------------------------------------------------- */

int push_bytes(lua_State *L, const struct cache_object *object)
{
  struct reason why;
  json_t **value = lua_json_own(L);
  *value = json_read(object->bytes, object->len, &why);
  if (!*value) return bind_fail(L, &why);
  lua_json_push(L, *value);
  json_decref(*value);
  *value = NULL;
  return 1;
}

static int push_json(lua_State *L, const void *value)
{
  lua_json_push(L, value);
  return 1;
}

static int push_true(lua_State *L, const void *nothing)
{
  (void)nothing;
  lua_pushboolean(L, 1);
  return 1;
}

/* Writes --------------------------------------------------------------------------------------- */

/* The answer of a delete: a Status, or the object that finalizers still hold. */
static bool is_object(const struct op *op, const json_t *answer)
{
  const char *kind = json_text_at(answer, "kind", NULL);
  return strcmp(kind, "Status") != 0 || !strcmp(op->kind->name, "Status");
}

/* The checked answer of a write; NULL with `why`, or NULL without when a delete gave none. */
static json_t *read_answer(const struct op *op, const char *body, size_t len, struct reason *why)
{
  struct cache_ref ref = op_ref(op);
  json_t *answer = json_read(body, len, why);
  if (!answer) {
    if (op->deletes) why->code = OK;
    else why->code = BAD_ANSWER;
    return NULL;
  }
  if (op->deletes && !is_object(op, answer)) goto none;
  if (!cache_check(&ref, answer, op->uid, why)) {
    if (!op->deletes || json_text_at(answer, "metadata", "deletionTimestamp", NULL)[0])
      return answer;
  }
none:
  json_decref(answer);
  return NULL;
}

static void note_in_cache(const struct op *op, struct looker *looker, json_t *object, bool good)
{
  struct cache_ref ref = op_ref(op);
  if (!ref.name) ref.name = json_text_at(object, "metadata", "name", NULL); /* it was generated */
  if (!ref.name[0]) return;
  if (op->deletes && good && !object) cache_deleted(op->run->cache, &ref, looker);
  else cache_written(op->run->cache, &ref, looker, object);
}

static void on_answer(void *data, const char *body, size_t len, const struct reason *failure)
{
  struct op *op = data;
  struct job_ticket ticket = op->wait.ticket;
  struct reason why = { .code = OK };
  json_t *object = NULL;
  if (failure) why = *failure;
  else object = read_answer(op, body, len, &why);
  if (why.code == THROTTLED) sched_throttled(ticket.job, why.retry_after);
  note_in_cache(op, sched_looker(ticket.job), object, !why.code);
  bool deletes = op->deletes;
  wait_remove(&op->wait);
  free_op(op);
  if (why.code) job_wake(ticket, bind_push_reason, &why);
  else if (deletes) job_wake(ticket, push_true, NULL);
  else job_wake(ticket, push_json, object);
  json_decref(object);
}

enum status op_send(
  struct op *op, const struct target *t, const struct kube_call *call, struct reason *why)
{
  struct cache_ref ref = op_ref(op);
  struct looker *looker = sched_looker(t->job);
  sched_wrote(t->job);
  if (ref.name) cache_writing(t->run->cache, &ref, looker);
  op->request = kube_start(t->ref.kind->route ? t->run->routes : t->run->kube, call, on_answer, op, why);
  if (!op->request) {
    if (ref.name) cache_written(t->run->cache, &ref, looker, NULL);
    free_op(op);
    return why->code ? why->code : BAD_ANSWER;
  }
  wait_add(&t->run->waits, &op->wait, t->job, cancel);
  return OK;
}

/* Look-ups ------------------------------------------------------------------------------------- */

static void on_ready(void *data, enum cache_outcome outcome, const struct cache_object *object,
  const struct reason *why)
{
  struct op *op = data;
  struct job_ticket ticket = op->wait.ticket;
  struct found found = { op->run->cache, op_ref(op), *object };
  op->looking = false;
  wait_remove(&op->wait);
  if (outcome == CACHE_HIT) {
    job_wake(ticket, op->push, &found);
  } else {
    if (why->code == THROTTLED) sched_throttled(ticket.job, why->retry_after);
    job_wake(ticket, bind_push_reason, why);
  }
  free_op(op);
}

int op_look(lua_State *L, struct op *op, const struct target *t, job_push_fn *push)
{
  struct reason why = { .code = OK };
  struct found found = { t->run->cache, t->ref, { NULL, 0 } };
  op->look.on_ready = on_ready;
  op->look.data = op;
  op->push = push;
  enum cache_outcome outcome =
    cache_get(t->run->cache, &t->ref, sched_looker(t->job), &op->look, &found.object, &why);
  if (outcome == CACHE_PENDING) {
    op->looking = true;
    wait_add(&t->run->waits, &op->wait, t->job, cancel);
    return job_await(L);
  }
  free_op(op);
  return outcome == CACHE_HIT ? push(L, &found) : bind_fail(L, &why);
}
