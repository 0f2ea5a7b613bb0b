#include "lua_script.h"

#include "bind_job.h"
#include "digest.h"
#include "json_lua.h"
#include "text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPT_TYPE "script.run"
#define WORKERS 2
#define QUEUE 256
#define QUARANTINE_S 600.0
#define BURST_S 0.1
#define BUDGET_S 0.5
#define BUDGET_MAX_S 10.0
#define DEADLINE_S 10.0
#define DEADLINE_MAX_S 3600.0
#define MEMORY_BYTES (8 << 20)
#define MEMORY_MIN_BYTES (64 << 10)
#define MEMORY_MAX_BYTES (64 << 20)
#define CALLS_MOST 100
#define ARGUMENT_LIMITS ((struct json_limits){ 64u << 10, 1u << 20 })
#define RESULT_LIMITS ((struct json_limits){ 16u << 10, 256u << 10 })

/* Where things are on the stack of script.run. */
enum { SOURCE = 1, ENTRY, ARGUMENT, OPTIONS, RUN, CALLS };

static const char scripts_key;

struct scripts {
  struct resource resource;
  struct engine *engine;
  struct pool *pool;       /* NULL until one is needed */
  struct pool_options options;
  struct script *live;
};

/* One script.run, on the stack of its caller. */
struct script {
  struct wait wait;
  bool parked, ended;
  struct scripts *scripts;
  struct pool_run *run;    /* NULL: not started, or over */
  struct reason why;       /* of the end */
  json_t *result, *arguments;
  char call[POOL_CALL_SIZE];
  struct script *next, **link; /* among the live ones, while it has a run */
};

/* The workers ---------------------------------------------------------------------------------- */

static void forget_run(struct script *script)
{
  if (!script->run) return;
  script->run = NULL;
  *script->link = script->next;
  if (script->next) script->next->link = script->link;
}

static void close_scripts(struct resource *resource)
{
  struct scripts *scripts = (struct scripts *)resource; /* its first member */
  while (scripts->live) forget_run(scripts->live);
  if (scripts->pool) pool_free(scripts->pool);
  scripts->pool = NULL;
  bind_set(scripts->engine->L, &scripts_key, NULL);
  free(scripts);
}

static struct scripts *scripts_of(lua_State *L)
{
  struct scripts *scripts = bind_get(L, &scripts_key);
  if (scripts) return scripts;
  struct engine *engine = engine_of(L);
  bind_set(L, &scripts_key, NULL); /* what may raise does so before there is anything to lose */
  scripts = calloc(1, sizeof *scripts);
  CHECK(scripts);
  *scripts = (struct scripts){ .engine = engine,
    .options = { .loop = &engine->loop, .log = engine->log, .workers = WORKERS, .queue = QUEUE,
      .quarantine_ms = (uint64_t)(QUARANTINE_S * 1000) } };
  engine_own(engine, &scripts->resource, close_scripts);
  bind_set(L, &scripts_key, scripts);
  return scripts;
}

void lua_script_mode(lua_State *L, const char *mode)
{
  scripts_of(L)->options.mode = mode;
}

const struct pool *lua_script_pool(lua_State *L)
{
  return scripts_of(L)->pool;
}

/* What goes over the pipe ---------------------------------------------------------------------- */

/* list -> its values; null is nil */
static int push_list(lua_State *L, const json_t *list)
{
  const json_t *value;
  size_t i;
  luaL_checkstack(L, (int)json_array_size(list), "too many values");
  json_array_foreach(list, i, value) {
    if (json_is_null(value)) lua_pushnil(L);
    else lua_json_push(L, value);
  }
  return (int)json_array_size(list);
}

/* The values from `first` to the top as a JSON list in `out`. */
static enum status write_list(lua_State *L, int first, struct buf *out, struct reason *why)
{
  json_t *list = json_array();
  enum status status = list ? OK : reason_set(why, NO_MEMORY, "no memory");
  for (int i = first; !status && i <= lua_gettop(L); i++) {
    json_t *value = lua_isnil(L, i) ? json_null() : json_lua_read(L, i, RESULT_LIMITS, why);
    if (!value) status = why->code;
    else if (json_array_append_new(list, value)) status = reason_set(why, NO_MEMORY, "no memory");
  }
  if (!status) status = json_write(list, out, why);
  json_decref(list);
  return status;
}

/* Ends ----------------------------------------------------------------------------------------- */

static int push_end(lua_State *L, const void *data)
{
  const struct script *script = data;
  if (!script->ended) return bind_failf(L, CANCELLED, "the engine is stopped");
  if (!script->result) return bind_fail(L, &script->why);
  if (json_is_null(script->result)) lua_pushnil(L);
  else lua_json_push(L, script->result);
  return 1;
}

static void on_end(void *data, const json_t *result, const struct reason *why)
{
  struct script *script = data;
  forget_run(script);
  script->ended = true;
  script->result = json_incref((json_t *)result); /* jansson counts in the value */
  if (why) script->why = *why;
  text_plain(script->why.text); /* names may be any bytes, and cut anywhere */
  if (!script->parked) return; /* a function that it called is at work, and then finds it ended */
  script->parked = false;
  wait_remove(&script->wait);
  job_wake(script->wait.ticket, push_end, script);
}

static void cancel(struct wait *wait)
{
  struct script *script = (struct script *)wait; /* its first member */
  struct pool_run *run = script->run;
  script->parked = false;
  forget_run(script);
  if (run) pool_cancel(run);
}

static int script_gc(lua_State *L)
{
  struct script *script = luaL_checkudata(L, 1, SCRIPT_TYPE);
  if (script->parked) wait_remove(&script->wait);
  cancel(&script->wait);
  json_decref(script->result);
  json_decref(script->arguments);
  script->result = script->arguments = NULL;
  return 0;
}

/* Calls of the script -------------------------------------------------------------------------- */

static int park(lua_State *L, struct script *script)
{
  wait_add(&script->scripts->engine->waits, &script->wait, bind_job(L), cancel);
  script->parked = true;
  return job_await(L);
}

/* results or error -> []: back to the script, which goes on */
static int after_call(lua_State *L, int status, lua_KContext ctx)
{
  struct script *script = (struct script *)ctx;
  struct reason why = { .code = OK };
  struct buf text;
  if (!script->run) return push_end(L, script);
  if (status != LUA_OK && status != LUA_YIELD) {
    pool_raise(script->run,
      lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error that is no text");
    lua_settop(L, CALLS);
    return park(L, script);
  }
  buf_init(&text, RESULT_LIMITS.bytes);
  if (!write_list(L, CALLS + 1, &text, &why)) pool_answer(script->run, text.data, text.len);
  else {
    char said[sizeof why.text + POOL_CALL_SIZE + 16];
    snprintf(said, sizeof said, "%s: its results: %s", script->call, why.text);
    pool_raise(script->run, said);
  }
  buf_close(&text);
  lua_settop(L, CALLS);
  return park(L, script);
}

/* [] -> whatever follows: runs in the job that waits for the script, so the function may wait too */
static int make_call(lua_State *L, const void *data)
{
  struct script *script = (struct script *)data; /* the push of a job gets it as const */
  lua_settop(L, CALLS);
  lua_pushstring(L, script->call);
  lua_rawget(L, CALLS);
  int n = push_list(L, script->arguments);
  json_decref(script->arguments);
  script->arguments = NULL;
  int status = lua_pcallk(L, n, LUA_MULTRET, 0, (lua_KContext)script, after_call);
  return after_call(L, status, (lua_KContext)script);
}

static void on_call(void *data, const char *name, const json_t *arguments)
{
  struct script *script = data;
  CHECK(script->parked);
  snprintf(script->call, sizeof script->call, "%s", name);
  json_decref(script->arguments);
  script->arguments = json_incref((json_t *)arguments); /* jansson counts in the value */
  script->parked = false;
  wait_remove(&script->wait);
  job_wake(script->wait.ticket, make_call, script);
}

/* What is asked for ---------------------------------------------------------------------------- */

/* "query" or "prom.query" */
static bool is_call(const char *name)
{
  size_t dots = 0, at = 0;
  for (; name[at]; at++) {
    bool first = !at || name[at - 1] == '.';
    if (name[at] == '.' && !first && !dots) dots++;
    else if (!isalpha((unsigned char)name[at]) && name[at] != '_' &&
      (first || !isdigit((unsigned char)name[at])))
      return false;
  }
  return at && name[at - 1] != '.' && at < POOL_CALL_SIZE;
}

/* [] -> [calls], a copy, as the caller may change his */
static void check_calls(lua_State *L, struct pool_order *o)
{
  int type = lua_getfield(L, OPTIONS, "calls");
  luaL_argcheck(L, type == LUA_TNIL || type == LUA_TTABLE, OPTIONS, "field 'calls': table expected");
  lua_newtable(L);
  if (type == LUA_TTABLE) {
    for (lua_pushnil(L); lua_next(L, CALLS);) { /* calls copy name function */
      luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING && is_call(lua_tostring(L, -2)), OPTIONS,
        "field 'calls': a name is none");
      luaL_argcheck(L, lua_isfunction(L, -1), OPTIONS, "field 'calls': function expected");
      luaL_argcheck(L, o->calls_n < POOL_CALLS_MAX, OPTIONS, "field 'calls': too many");
      o->calls[o->calls_n++] = lua_tostring(L, -2);
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      lua_rawset(L, CALLS + 1);
    }
  }
  lua_replace(L, CALLS);
}

static uint32_t check_us(lua_State *L, const char *field, double otherwise, double most)
{
  lua_Number seconds = bind_number(L, OPTIONS, field, otherwise);
  if (!(seconds >= 0.001 && seconds <= most))
    luaL_argerror(L, OPTIONS, lua_pushfstring(L, "field '%s': out of range", field));
  return (uint32_t)(seconds * 1e6);
}

static lua_Integer check_integer(
  lua_State *L, const char *field, lua_Integer otherwise, lua_Integer least, lua_Integer most)
{
  lua_Integer n = bind_integer(L, OPTIONS, field, otherwise);
  if (n < least || n > most)
    luaL_argerror(L, OPTIONS, lua_pushfstring(L, "field '%s': out of range", field));
  return n;
}

static void check_limits(lua_State *L, struct pool_order *o)
{
  o->budget_us = check_us(L, "budget", BUDGET_S, BUDGET_MAX_S);
  double budget = (double)o->budget_us / 1e6;
  o->burst_us = check_us(L, "burst", budget < BURST_S ? budget : BURST_S, BUDGET_MAX_S);
  lua_Number deadline = bind_number(L, OPTIONS, "deadline", DEADLINE_S);
  luaL_argcheck(L, deadline >= 0.001 && deadline <= DEADLINE_MAX_S, OPTIONS,
    "field 'deadline': out of range");
  o->deadline_ms = (uint64_t)(deadline * 1000);
  o->memory = (uint32_t)check_integer(L, "memory", MEMORY_BYTES, MEMORY_MIN_BYTES, MEMORY_MAX_BYTES);
  o->seed = (uint32_t)check_integer(L, "seed", 0, 0, UINT32_MAX);
  o->calls_most = (unsigned)check_integer(L, "max_calls", CALLS_MOST, 0, 1000000);
  o->tenant = bind_flag(L, OPTIONS, "tenant", false);
}

static bool is_printable(const char *text)
{
  for (; *text; text++)
    if (iscntrl((unsigned char)*text)) return false;
  return true;
}

static void check_order(lua_State *L, struct pool_order *o)
{
  o->source = bind_bytes(L, SOURCE, SIZE_MAX, &o->source_len);
  o->entry = luaL_optstring(L, ENTRY, "");
  luaL_argcheck(L, strlen(o->entry) < POOL_ENTRY_SIZE, ENTRY, "string is too long");
  if (lua_isnil(L, OPTIONS)) {
    lua_newtable(L);
    lua_replace(L, OPTIONS);
  }
  bind_table(L, OPTIONS);
  o->name = bind_text(L, OPTIONS, "name", "script");
  luaL_argcheck(L, o->name[0] && strlen(o->name) < POOL_NAME_SIZE && is_printable(o->name), OPTIONS,
    "field 'name': 1 to 127 printable bytes expected");
  check_limits(L, o);
}

/* The sha256 of the source; REFUSED when another one was asked for. */
static enum status check_sha256(
  lua_State *L, const struct pool_order *o, char hex[POOL_SHA_SIZE], struct reason *why)
{
  unsigned char digest[DIGEST_SHA256_BYTES];
  const char *asked = bind_text(L, OPTIONS, "sha256", NULL);
  if (o->source_len > POOL_SOURCE_MAX_BYTES)
    return reason_set(why, TOO_LARGE, "%.100s: source of %zu bytes, at most %u are run", o->name,
      o->source_len, POOL_SOURCE_MAX_BYTES);
  if (digest_sha256(o->source, o->source_len, digest))
    return reason_set(why, NO_MEMORY, "%.100s: no memory for its sha256", o->name);
  digest_hex(digest, sizeof digest, hex);
  if (!asked || !strcmp(asked, hex)) return OK;
  return reason_set(why, REFUSED, "%.60s: expected a source with sha256 %.64s, found %s", o->name,
    asked, hex);
}

static enum status write_argument(
  lua_State *L, const struct pool_order *o, struct buf *out, struct reason *why)
{
  struct reason cause = { .code = OK };
  json_t *value =
    lua_isnil(L, ARGUMENT) ? json_null() : json_lua_read(L, ARGUMENT, ARGUMENT_LIMITS, &cause);
  if (value) cause.code = json_write(value, out, &cause);
  json_decref(value);
  if (!cause.code) return OK;
  return reason_set(why, cause.code, "%.60s: its argument: %.150s", o->name, cause.text);
}

/* OK with script->run, or why not. */
static enum status start(
  lua_State *L, struct script *script, struct pool_order *o, struct reason *why)
{
  static const struct pool_events events = { on_call, on_end };
  struct scripts *scripts = script->scripts;
  char sha256[POOL_SHA_SIZE];
  struct buf argument;
  enum status status = check_sha256(L, o, sha256, why);
  if (status) return status;
  if (!scripts->pool) scripts->pool = pool_new(&scripts->options, why);
  if (!scripts->pool) return why->code;
  buf_init(&argument, ARGUMENT_LIMITS.bytes);
  status = write_argument(L, o, &argument, why);
  o->sha256 = sha256;
  o->argument = argument.data;
  o->argument_len = argument.len;
  if (!status) script->run = pool_start(scripts->pool, o, &events, script, why);
  buf_close(&argument);
  return script->run ? OK : why->code;
}

static int l_run(lua_State *L)
{
  struct pool_order o = { .calls_n = 0 };
  struct reason why = { .code = OK };
  lua_settop(L, OPTIONS);
  check_order(L, &o);
  struct scripts *scripts = scripts_of(L);
  bind_job(L);
  struct script *script = bind_new(L, SCRIPT_TYPE, sizeof *script);
  script->scripts = scripts;
  check_calls(L, &o);
  if (start(L, script, &o, &why)) {
    text_plain(why.text);
    return bind_fail(L, &why);
  }
  script->next = scripts->live;
  script->link = &scripts->live;
  if (script->next) script->next->link = &script->next;
  scripts->live = script;
  return park(L, script);
}

/* Settings and numbers ------------------------------------------------------------------------- */

static int l_setup(lua_State *L)
{
  struct scripts *scripts = scripts_of(L);
  struct pool_options *o = &scripts->options;
  bind_table(L, 1);
  lua_Integer workers = bind_integer(L, 1, "workers", WORKERS),
              queue = bind_integer(L, 1, "queue", QUEUE);
  lua_Number quarantine = bind_number(L, 1, "quarantine", QUARANTINE_S);
  luaL_argcheck(L, workers > 0 && workers <= POOL_WORKERS_MAX, 1, "field 'workers': out of range");
  luaL_argcheck(L, queue > 0 && queue <= 100000, 1, "field 'queue': out of range");
  luaL_argcheck(L, quarantine >= 0.001 && quarantine <= 86400, 1, "field 'quarantine': out of range");
  if (scripts->live) return luaL_error(L, "scripts are running");
  if (scripts->pool) pool_free(scripts->pool);
  scripts->pool = NULL;
  o->workers = (unsigned)workers;
  o->queue = (unsigned)queue;
  o->quarantine_ms = (uint64_t)(quarantine * 1000);
  return 0;
}

static int l_stats(lua_State *L)
{
  const struct pool *pool = scripts_of(L)->pool;
  struct pool_stats stats = { .workers = 0 };
  if (pool) stats = pool_stats(pool);
  const struct {
    const char *name;
    unsigned long n;
  } fields[] = { { "queued", stats.queued }, { "running", stats.running },
    { "workers", stats.workers }, { "quarantined", stats.quarantined }, { "ended", stats.ended },
    { "killed", stats.killed } };
  lua_createtable(L, 0, 6);
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    lua_pushinteger(L, (lua_Integer)fields[i].n);
    lua_setfield(L, -2, fields[i].name);
  }
  return 1;
}

static const luaL_Reg functions[] = {
  { "run",   l_run },
  { "setup", l_setup },
  { "stats", l_stats },
  { NULL, NULL },
};

int luaopen_host_script(lua_State *L)
{
  bind_type(L, SCRIPT_TYPE, NULL, script_gc);
  luaL_newlib(L, functions);
  return 1;
}
