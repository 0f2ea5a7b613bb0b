#include "lua_kube.h"

#include "lua_json.h"
#include "lua_kube_op.h"
#include "lua_kube_read.h"

#include <string.h>

#define PATH_MAX_BYTES 4096
#define MERGE_PATCH "application/merge-patch+json"

/* Requests ------------------------------------------------------------------------------------- */

/* A request being put together: nothing in here may be owned when Lua can raise. */
struct draft {
  struct kube_call call;
  struct buf path, body;
  const char *subresource;
};

static void draft_init(struct draft *draft, const char *method)
{
  *draft = (struct draft){ .call.method = method };
  buf_init(&draft->path, PATH_MAX_BYTES);
  buf_init(&draft->body, JSON_MAX_BYTES);
}

/* Takes `body`. */
static enum status set_body(struct draft *draft, json_t *body, struct reason *why)
{
  if (!body) return why->code ? why->code : INVALID;
  enum status status = json_write(body, &draft->body, why);
  json_decref(body);
  draft->call.body = draft->body.data;
  draft->call.body_len = draft->body.len;
  return status;
}

static enum status set_path(
  struct draft *draft, const struct target *t, const char *name, struct reason *why)
{
  bool nowhere = t->ref.kind->namespaced && !t->ref.space[0];
  if (nowhere) return reason_set(why, INVALID, "a %s has no namespace", t->ref.kind->name);
  enum status status =
    kind_path(t->ref.kind, t->ref.space, name, draft->subresource, &draft->path, why);
  draft->call.path = draft->path.data;
  return status;
}

/* Sends what is drafted unless `status` says that it went wrong, and parks the job. */
static int finish(lua_State *L, struct draft *draft, const struct target *t, enum status status,
  const char *uid, struct reason *why)
{
  struct op *op = status ? NULL : op_new(t, uid);
  if (!status && !op) status = reason_set(why, NO_MEMORY, "no memory for a request");
  if (op) op->deletes = !strcmp(draft->call.method, "DELETE");
  if (!status) status = op_send(op, t, &draft->call, why);
  buf_close(&draft->path);
  buf_close(&draft->body);
  return status ? bind_fail(L, why) : job_await(L);
}

/* The functions -------------------------------------------------------------------------------- */

static void declare(lua_State *L, struct engine *engine, int at)
{
  struct reason why = { .code = OK };
  luaL_argcheck(L, lua_istable(L, at), 1, "a list of tables expected");
  const char *api_version = bind_text(L, at, "apiVersion", ""),
             *name = bind_text(L, at, "kind", "");
  const struct kind *known = kinds_find(&engine->kinds, api_version, name, &why);
  if (!known) luaL_argerror(L, 1, lua_pushstring(L, why.text));
  struct kind kind = { (char *)api_version, (char *)name,
    (char *)bind_text(L, at, "plural", known->plural),
    .namespaced = bind_flag(L, at, "namespaced", true),
    .metadata = bind_flag(L, at, "metadata", false), .always = bind_flag(L, at, "always", false),
    .route = bind_flag(L, at, "route", false) };
  if (kinds_declare(&engine->kinds, &kind, &why)) luaL_argerror(L, 1, lua_pushstring(L, why.text));
}

static int l_kinds(lua_State *L)
{
  struct reason why = { .code = OK };
  struct engine *engine = engine_of(L);
  bind_table(L, 1);
  lua_settop(L, 1);
  lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, 1, i);
    declare(L, engine, 2);
    lua_settop(L, 1);
  }
  if (engine->run && cache_always(engine->run->cache, &why)) return bind_fail(L, &why);
  lua_pushboolean(L, 1);
  return 1;
}

static int push_found(lua_State *L, const void *result)
{
  const struct found *found = result;
  return push_bytes(L, &found->object);
}

static int l_get(lua_State *L)
{
  struct target t;
  if (!check_target(L, 1, false, &t)) return bind_fail(L, &t.why);
  luaL_argcheck(L, t.ref.name, 1, "field 'name': string expected");
  struct op *op = op_new(&t, "");
  if (!op) return bind_failf(L, NO_MEMORY, "no memory for a look");
  return op_look(L, op, &t, push_found);
}

static int push_list(lua_State *L, const void *result)
{
  const struct found *found = result;
  struct map_walk walk = { 0 };
  struct cache_object object;
  lua_Integer n = 0;
  lua_newtable(L);
  while (cache_next(found->cache, found->ref.kind, found->ref.space, &walk, &object)) {
    int top = lua_gettop(L);
    int pushed = push_bytes(L, &object);
    if (pushed == 1) {
      lua_rawseti(L, top, ++n);
    }
    lua_settop(L, top);
  }
  return 1;
}

static int l_list(lua_State *L)
{
  struct target t;
  if (!check_target(L, 1, false, &t)) return bind_fail(L, &t.why);
  luaL_argcheck(L, t.ref.kind->always, 1, "only kinds declared `always` can be listed");
  t.ref.name = NULL;
  struct op *op = op_new(&t, "");
  if (!op) return bind_failf(L, NO_MEMORY, "no memory for a look");
  return op_look(L, op, &t, push_list);
}

static int l_create(lua_State *L)
{
  struct reason why = { .code = OK };
  struct target t;
  struct draft draft;
  if (!check_target(L, 1, true, &t)) return bind_fail(L, &t.why);
  draft_init(&draft, "POST");
  enum status status = set_path(&draft, &t, NULL, &why);
  if (!status) status = set_body(&draft, lua_json_read(L, 1, &why), &why);
  return finish(L, &draft, &t, status, "", &why);
}

/* The uid that the answer must have: the patch's own, or the cached one's if that version is
 * patched. */
static const char *expected_uid(const struct target *t, const json_t *patch)
{
  const char *uid = json_text_at(patch, "metadata", "uid", NULL);
  const char *version = json_text_at(patch, "metadata", "resourceVersion", NULL);
  return uid[0] || !version[0] ? uid : cache_uid(t->run->cache, &t->ref, version);
}

static int l_patch(lua_State *L)
{
  struct reason why = { .code = OK };
  struct target t;
  struct draft draft;
  char uid[128];
  bind_table(L, 2);
  if (!lua_isnoneornil(L, 3)) bind_table(L, 3);
  const char *subresource = lua_istable(L, 3) ? bind_text(L, 3, "subresource", NULL) : NULL;
  if (!check_target(L, 1, false, &t)) return bind_fail(L, &t.why);
  luaL_argcheck(L, t.ref.name, 1, "field 'name': string expected");
  draft_init(&draft, "PATCH");
  draft.call.content_type = MERGE_PATCH;
  draft.subresource = subresource;
  enum status status = set_path(&draft, &t, t.ref.name, &why);
  json_t *patch = lua_json_read(L, 2, &why);
  snprintf(uid, sizeof uid, "%s", expected_uid(&t, patch));
  if (status) json_decref(patch);
  else status = set_body(&draft, patch, &why);
  return finish(L, &draft, &t, status, uid, &why);
}

static int l_delete(lua_State *L)
{
  struct reason why = { .code = OK };
  struct target t;
  struct draft draft;
  if (!lua_isnoneornil(L, 2)) bind_table(L, 2);
  const char *propagation = lua_istable(L, 2) ? bind_text(L, 2, "propagation", NULL) : NULL;
  if (!check_target(L, 1, false, &t)) return bind_fail(L, &t.why);
  luaL_argcheck(L, t.ref.name, 1, "field 'name': string expected");
  draft_init(&draft, "DELETE");
  enum status status = set_path(&draft, &t, t.ref.name, &why);
  if (!status && propagation)
    status = set_body(&draft, json_pack("{ssssss}", "kind", "DeleteOptions", "apiVersion", "v1",
      "propagationPolicy", propagation), &why);
  return finish(L, &draft, &t, status, "", &why);
}

/* A new Event, or a patch of one: where the namespace is tells which. */
static void check_event(lua_State *L, struct draft *draft, struct target *t, int *body)
{
  bool patches = lua_getfield(L, 1, "patch") == LUA_TTABLE;
  draft_init(draft, patches ? "PATCH" : "POST");
  if (patches) draft->call.content_type = MERGE_PATCH;
  *body = patches ? lua_gettop(L) : 1;
  int at = 1;
  if (!patches) {
    luaL_argcheck(
      L, lua_getfield(L, 1, "metadata") == LUA_TTABLE, 1, "field 'metadata': table expected");
    at = lua_gettop(L);
  }
  t->ref.space = bind_text(L, at, "namespace", "");
  t->ref.name = patches ? bind_text(L, at, "name", "") : NULL;
}

static int l_event(lua_State *L)
{
  struct reason why = { .code = OK };
  struct target t = { .job = job_self(L), .engine = engine_of(L) };
  struct draft draft;
  int body;
  bind_table(L, 1);
  if (!t.job) return luaL_error(L, "only a job can write events");
  t.run = sched_left_behind(t.job) ? NULL : t.engine->run;
  if (!t.run) return bind_failf(L, CANCELLED, "the engine is stopped");
  t.ref.kind = kinds_find(&t.engine->kinds, "v1", "Event", &why);
  if (!t.ref.kind) return bind_fail(L, &why);
  check_event(L, &draft, &t, &body);
  enum status status = set_path(&draft, &t, t.ref.name, &why);
  if (!status) status = set_body(&draft, lua_json_read(L, body, &why), &why);
  if (!status) status = engine_fire(t.run, &draft.call, &why);
  buf_close(&draft.path);
  buf_close(&draft.body);
  if (status) return bind_fail(L, &why);
  sched_wrote(t.job);
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
  { "kinds",  l_kinds },
  { "get",    l_get },
  { "list",   l_list },
  { "read",   l_kube_read },
  { "create", l_create },
  { "patch",  l_patch },
  { "delete", l_delete },
  { "event",  l_event },
  { NULL, NULL },
};

int luaopen_host_kube(lua_State *L)
{
  luaL_newlib(L, functions);
  return 1;
}
