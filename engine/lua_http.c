#include "lua_http.h"

#include "bind_job.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_S 10.0
#define TIMEOUT_MAX_S 3600.0
#define MAX_BYTES (1 << 20)
#define BODY_MAX_BYTES (16u << 20)
#define HEADERS_MAX 64

struct ask {
  struct wait wait;
  struct http_request *request;
};

/* Headers of the answer ------------------------------------------------------------------------ */

/* table -> table: t[name] = value, or what was there, a comma and value */
static void add_header(
  lua_State *L, const char *name, size_t name_len, const char *value, size_t len)
{
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (size_t i = 0; i < name_len; i++) luaL_addchar(&b, (char)tolower((unsigned char)name[i]));
  luaL_pushresult(&b);
  lua_pushvalue(L, -1);
  lua_pushlstring(L, value, len);
  lua_pushvalue(L, -3);
  if (lua_rawget(L, -5) == LUA_TSTRING) { /* table name name value old */
    lua_insert(L, -2);
    lua_pushliteral(L, ", ");
    lua_insert(L, -2);
    lua_concat(L, 3);
  } else {
    lua_pop(L, 1);
  }
  lua_rawset(L, -4);
  lua_pop(L, 1);
}

/* [] -> table */
static void push_headers(lua_State *L, const char *lines)
{
  lua_newtable(L);
  for (const char *end; (end = strchr(lines, '\n')); lines = end + 1) {
    const char *colon = memchr(lines, ':', (size_t)(end - lines)), *last = end;
    if (!colon || colon == lines) continue;
    const char *value = colon + 1;
    while (value < last && (*value == ' ' || *value == '\t')) value++;
    while (last > value && (last[-1] == ' ' || last[-1] == '\r')) last--;
    add_header(L, lines, (size_t)(colon - lines), value, (size_t)(last - value));
  }
}

static int push_answer(lua_State *L, const void *result)
{
  const struct http_answer *answer = result;
  lua_createtable(L, 0, 3);
  lua_pushinteger(L, answer->status);
  lua_setfield(L, -2, "status");
  push_headers(L, answer->headers ? answer->headers : "");
  lua_setfield(L, -2, "headers");
  lua_pushlstring(L, answer->body, answer->body_len);
  lua_setfield(L, -2, "body");
  return 1;
}

/* The request ---------------------------------------------------------------------------------- */

static void on_done(void *data, const struct http_answer *answer, const struct reason *why)
{
  struct ask *ask = data;
  struct job_ticket ticket = ask->wait.ticket;
  wait_remove(&ask->wait);
  free(ask);
  if (answer) job_wake(ticket, push_answer, answer);
  else job_wake(ticket, bind_push_reason, why);
}

static void cancel(struct wait *wait)
{
  struct ask *ask = (struct ask *)wait; /* its first member */
  http_cancel(ask->request);
  free(ask);
}

/* Pushes "Name: value"; it stays on the stack. */
static void add_line(lua_State *L, const char *name, int value, const char **lines, size_t *n)
{
  const char *text = lua_type(L, value) == LUA_TSTRING || lua_type(L, value) == LUA_TNUMBER
    ? luaL_tolstring(L, value, NULL) : NULL;
  luaL_argcheck(L, text, 1, "field 'headers': a value is no string");
  luaL_argcheck(L, *n < HEADERS_MAX, 1, "field 'headers': too many");
  luaL_argcheck(L, !strpbrk(name, "\r\n:") && !strpbrk(text, "\r\n"), 1,
    "field 'headers': a line break or colon");
  luaL_checkstack(L, 8, NULL);
  lines[(*n)++] = lua_pushfstring(L, "%s: %s", name, text);
}

/* The table `headers` of the one at 1 as lines that stay on the stack. */
static void check_headers(lua_State *L, const char **lines)
{
  size_t n = 0;
  int type = lua_getfield(L, 1, "headers");
  if (type != LUA_TNIL) luaL_argcheck(L, type == LUA_TTABLE, 1, "field 'headers': table expected");
  int map = lua_gettop(L);
  const char *name = NULL; /* the iteration's key is kept below what is pushed for it */
  if (type == LUA_TNIL) return;
  lua_pushnil(L);
  while (lua_next(L, map)) { /* key value */
    luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING, 1, "field 'headers': a name is no string");
    name = lua_tostring(L, -2);
    int value = lua_gettop(L), key = value - 1;
    if (lua_istable(L, value)) {
      lua_Integer count = (lua_Integer)lua_rawlen(L, value);
      for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, value, i);
        add_line(L, name, lua_gettop(L), lines, &n);
      }
    } else {
      add_line(L, name, value, lines, &n);
    }
    lua_pushvalue(L, key);
  }
}

static void check_tls(lua_State *L, struct http_tls *tls)
{
  int type = lua_getfield(L, 1, "tls");
  if (type == LUA_TNIL) return;
  luaL_argcheck(L, type == LUA_TTABLE, 1, "field 'tls': table expected");
  int at = lua_gettop(L);
  tls->insecure = bind_flag(L, at, "insecure", false);
  tls->ca_pem = bind_text(L, at, "ca", NULL);
  tls->cert_pem = bind_text(L, at, "cert", NULL);
  tls->key_pem = bind_text(L, at, "key", NULL);
}

static const char *check_body(lua_State *L, size_t *len)
{
  int type = lua_getfield(L, 1, "body");
  *len = 0;
  if (type == LUA_TNIL) return NULL;
  luaL_argcheck(L, type == LUA_TSTRING, 1, "field 'body': string expected");
  const char *body = lua_tolstring(L, -1, len);
  luaL_argcheck(L, *len <= BODY_MAX_BYTES, 1, "field 'body': too long");
  return body;
}

static int l_request(lua_State *L)
{
  const char *lines[HEADERS_MAX + 1] = { NULL };
  struct http_tls tls = { 0 };
  struct reason why = { .code = OK };
  bind_table(L, 1);
  struct job *job = bind_job(L);
  struct engine *engine = engine_of(L);
  lua_settop(L, 1);
  lua_Number timeout = bind_number(L, 1, "timeout", TIMEOUT_S);
  lua_Integer max = bind_integer(L, 1, "max_bytes", MAX_BYTES);
  luaL_argcheck(L, timeout > 0 && timeout <= TIMEOUT_MAX_S, 1, "field 'timeout': out of range");
  luaL_argcheck(L, max > 0 && max <= BODY_MAX_BYTES, 1, "field 'max_bytes': out of range");
  struct http_options o = { .method = bind_text(L, 1, "method", "GET"),
    .url = bind_text(L, 1, "url", NULL),
    .headers = lines,
    .timeout_ms = (long)ceil(timeout * 1000),
    .max_body = (size_t)max,
    .follow = bind_flag(L, 1, "follow", true),
    .tls = &tls,
    .proxy = bind_text(L, 1, "proxy", NULL) };
  luaL_argcheck(L, o.url, 1, "field 'url': string expected");
  o.body = check_body(L, &o.body_len);
  o.http1 = o.body != NULL;
  check_headers(L, lines);
  check_tls(L, &tls);
  struct ask *ask = calloc(1, sizeof *ask); /* nothing raises from here on */
  if (!ask) return bind_failf(L, NO_MEMORY, "no memory for a request");
  ask->request = http_start(engine->http, &o, NULL, on_done, ask, &why);
  if (!ask->request) {
    free(ask);
    return bind_fail(L, &why);
  }
  wait_add(&engine->waits, &ask->wait, job, cancel);
  return job_await(L);
}

static const luaL_Reg functions[] = {
  { "request", l_request },
  { NULL, NULL },
};

int luaopen_host_http(lua_State *L)
{
  luaL_newlib(L, functions);
  return 1;
}
