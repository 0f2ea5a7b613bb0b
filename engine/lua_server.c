#include "lua_server.h"

#include "bind_job.h"
#include "call.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define LISTENER "server.listener"
#define STREAM "server.stream"
#define EXCHANGE "server.exchange"
#define HEADERS_MAX 32
#define ANSWER 3 /* where what the handler returned is */

/* A listener lives until :close() or the engine's end, whether Lua keeps the object or not. */
struct listener {
  struct resource resource;
  struct engine *engine;
  struct server *server;
  struct listener **box;   /* the userdata; NULL once collected */
  struct stream *streams;
  int handler;
  unsigned busy;           /* handlers under way */
};

/* A chunked answer. Kept by Lua and by the connection, freed with the last of the two. */
struct stream {
  struct server_exchange *exchange; /* NULL once closed */
  struct engine *engine;
  int on_close;
  bool kept;                        /* by Lua */
  struct stream *next, **link;      /* among the listener's, while open */
};

/* Streams -------------------------------------------------------------------------------------- */

static struct stream *check_stream(lua_State *L)
{
  struct stream **box = luaL_checkudata(L, 1, STREAM);
  luaL_argcheck(L, *box, 1, "a closed stream");
  return *box;
}

static int l_write(lua_State *L)
{
  size_t len;
  struct stream *stream = check_stream(L);
  const char *bytes = bind_bytes(L, 2, 16u << 20, &len);
  if (stream->exchange) server_write(stream->exchange, bytes, len);
  lua_pushboolean(L, stream->exchange != NULL);
  return 1;
}

static int l_end(lua_State *L)
{
  struct stream *stream = check_stream(L);
  if (stream->exchange) server_end(stream->exchange);
  return 0;
}

static int stream_gc(lua_State *L)
{
  struct stream **box = luaL_checkudata(L, 1, STREAM);
  struct stream *stream = *box;
  *box = NULL; /* half-built, or collected with the state */
  if (!stream) return 0;
  stream->kept = false;
  if (!stream->exchange) free(stream);
  return 0;
}

static int call_on_close(lua_State *L)
{
  struct stream *stream = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, stream->on_close);
  lua_call(L, 0, 0);
  return 0;
}

/* The connection is gone: from the server, or because the server goes. */
static void on_stream_closed(void *data)
{
  struct stream *stream = data;
  struct engine *engine = stream->engine;
  char text[256];
  if (!stream->exchange) return;
  stream->exchange = NULL;
  *stream->link = stream->next;
  if (stream->next) stream->next->link = stream->link;
  if (stream->on_close != LUA_NOREF) {
    bool kept = stream->kept;
    stream->kept = true; /* the call may collect its object */
    if (!call_lua(engine->L, call_on_close, stream, text, sizeof text))
      bind_report(engine, "on_close", text);
    luaL_unref(engine->L, LUA_REGISTRYINDEX, stream->on_close);
    stream->on_close = LUA_NOREF;
    stream->kept = kept && stream->kept;
  }
  if (!stream->kept) free(stream);
}

/* Requests ------------------------------------------------------------------------------------- */

struct exchange {
  struct listener *listener;
  const struct server_request *request;
  bool answered;
};

/* headers(name): only while the handler runs. */
static int l_header(lua_State *L)
{
  struct exchange **box = lua_touserdata(L, lua_upvalueindex(1));
  const char *name = luaL_checkstring(L, 1);
  if (!*box) return luaL_error(L, "the request is over");
  lua_pushstring(L, server_header((*box)->request->exchange, name));
  return 1;
}

static int exchange_gc(lua_State *L)
{
  struct exchange **box = luaL_checkudata(L, 1, EXCHANGE);
  *box = NULL;
  return 0;
}

static int hex(char c)
{
  return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* [] -> text: a part of a query, decoded */
static void push_decoded(lua_State *L, const char *text, const char *end)
{
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (; text < end; text++) {
    bool escaped = *text == '%' && end - text > 2 && isxdigit((unsigned char)text[1]) &&
      isxdigit((unsigned char)text[2]);
    if (escaped) {
      luaL_addchar(&b, (char)(hex(text[1]) * 16 + hex(text[2])));
      text += 2;
    } else {
      luaL_addchar(&b, *text == '+' ? ' ' : *text);
    }
  }
  luaL_pushresult(&b);
}

/* [] -> table */
static void push_query(lua_State *L, const char *query)
{
  lua_newtable(L);
  while (*query) {
    const char *end = query + strcspn(query, "&");
    const char *equals = memchr(query, '=', (size_t)(end - query));
    if (end > query) {
      push_decoded(L, query, equals ? equals : end);
      push_decoded(L, equals ? equals + 1 : end, end);
      lua_rawset(L, -3);
    }
    query = *end ? end + 1 : end;
  }
}

/* [] -> request; `box` is where the exchange's userdata is */
static void push_request(lua_State *L, struct exchange *x, int box)
{
  const struct server_request *request = x->request;
  lua_createtable(L, 0, 5);
  lua_pushstring(L, request->method);
  lua_setfield(L, -2, "method");
  lua_pushstring(L, request->path);
  lua_setfield(L, -2, "path");
  push_query(L, request->query);
  lua_setfield(L, -2, "query");
  lua_pushvalue(L, box);
  lua_pushcclosure(L, l_header, 1);
  lua_setfield(L, -2, "headers");
  lua_pushlstring(L, request->body ? request->body : "", request->body_len);
  lua_setfield(L, -2, "body");
}

/* The `headers` of the answer as lines that stay on the stack. */
static void check_headers(lua_State *L, const char **lines)
{
  size_t n = 0;
  if (lua_getfield(L, ANSWER, "headers") != LUA_TTABLE) return;
  int map = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, map)) { /* key value */
    int key = lua_gettop(L) - 1;
    if (lua_type(L, key) != LUA_TSTRING || n >= HEADERS_MAX)
      luaL_error(L, "headers of an answer: a bad one");
    luaL_checkstack(L, 8, NULL);
    lines[n++] =
      lua_pushfstring(L, "%s: %s", lua_tostring(L, key), luaL_tolstring(L, key + 1, NULL));
    lua_pushvalue(L, key);
  }
}

static enum server_fault check_fault(lua_State *L, const char *name)
{
  if (!strcmp(name, "reset")) return SERVER_RESET;
  if (!strcmp(name, "truncate")) return SERVER_TRUNCATE;
  if (!strcmp(name, "silence")) return SERVER_SILENCE;
  return (enum server_fault)luaL_error(L, "no such fault: %s", name);
}

/* answer at ANSWER, its function `stream` on top */
static void begin_stream(lua_State *L, struct exchange *x, int status, const char *const *lines)
{
  struct engine *engine = x->listener->engine;
  int on_close = bind_slot(L, ANSWER, "on_close");
  struct stream **box = bind_new(L, STREAM, sizeof(struct stream *));
  struct stream *stream = calloc(1, sizeof *stream);
  if (!stream) luaL_error(L, "not enough memory");
  *box = stream;
  *stream = (struct stream){ x->request->exchange, engine, on_close, true, x->listener->streams,
    &x->listener->streams };
  if (stream->next) stream->next->link = &stream->next;
  x->listener->streams = stream;
  x->answered = true;
  server_stream(x->request->exchange, status, lines, on_stream_closed, stream);
  lua_call(L, 1, 0);
}

/* A fault, a stream or a plain answer: what the handler gave. */
static void give(lua_State *L, struct exchange *x)
{
  const char *lines[HEADERS_MAX + 1] = { NULL };
  size_t len = 0;
  int status = (int)bind_integer(L, ANSWER, "status", 200);
  const char *fault = bind_text(L, ANSWER, "fault", NULL);
  const char *body = "";
  if (lua_getfield(L, ANSWER, "body") == LUA_TSTRING) body = lua_tolstring(L, -1, &len);
  if (fault) {
    enum server_fault kind = check_fault(L, fault);
    x->answered = true;
    server_fail(x->request->exchange, kind, body, len);
    return;
  }
  if (status < 200 || status > 599) luaL_error(L, "status of an answer: %d", status);
  check_headers(L, lines);
  if (bind_function(L, ANSWER, "stream")) {
    begin_stream(L, x, status, lines);
    return;
  }
  x->answered = true;
  server_answer(x->request->exchange, status, lines, body, len);
}

static int call_handler(lua_State *L)
{
  struct exchange *x = lua_touserdata(L, 1);
  struct exchange **box = bind_new(L, EXCHANGE, sizeof(struct exchange *));
  *box = x;
  lua_toclose(L, 2);
  lua_rawgeti(L, LUA_REGISTRYINDEX, x->listener->handler);
  push_request(L, x, 2);
  lua_call(L, 1, 1);
  if (!lua_istable(L, 3)) luaL_error(L, "the handler returned a %s", luaL_typename(L, 3));
  give(L, x);
  return 0;
}

static void on_request(void *data, const struct server_request *request)
{
  static const char sorry[] = "internal error\n";
  struct listener *listener = data;
  struct engine *engine = listener->engine;
  struct exchange x = { listener, request, false };
  char text[512];
  listener->busy++;
  bool good = call_lua(engine->L, call_handler, &x, text, sizeof text);
  listener->busy--;
  if (good) return;
  bind_report(engine, "a handler of server.listen", text);
  if (!x.answered) server_answer(request->exchange, 500, NULL, sorry, sizeof sorry - 1);
}

/* Listeners ------------------------------------------------------------------------------------ */

static void close_listener(struct listener *listener)
{
  engine_disown(&listener->resource);
  if (listener->box) *listener->box = NULL;
  server_free(listener->server);
  while (listener->streams) on_stream_closed(listener->streams);
  luaL_unref(listener->engine->L, LUA_REGISTRYINDEX, listener->handler);
  free(listener);
}

static void close_resource(struct resource *resource)
{
  close_listener((struct listener *)resource); /* its first member */
}

static int l_port(lua_State *L)
{
  struct listener **box = luaL_checkudata(L, 1, LISTENER);
  luaL_argcheck(L, *box, 1, "a closed server");
  lua_pushinteger(L, server_port((*box)->server));
  return 1;
}

static int l_close(lua_State *L)
{
  struct listener **box = luaL_checkudata(L, 1, LISTENER), *listener = *box;
  if (!listener) return 0;
  *box = NULL;
  listener->box = NULL;
  if (listener->busy)
    engine_doom(listener->engine, &listener->resource); /* its handler asks for it */
  else close_listener(listener);
  return 0;
}

static int listener_gc(lua_State *L)
{
  struct listener **box = luaL_checkudata(L, 1, LISTENER);
  if (*box) (*box)->box = NULL;
  *box = NULL;
  return 0;
}

static int l_listen(lua_State *L)
{
  struct reason why = { .code = OK };
  bind_table(L, 1);
  lua_settop(L, 1);
  struct engine *engine = engine_of(L);
  const char *address = bind_text(L, 1, "address", "127.0.0.1");
  lua_Integer port = bind_integer(L, 1, "port", 0);
  luaL_argcheck(L, port >= 0 && port <= 65535, 1, "field 'port': out of range");
  struct server_tls tls = { .cert = bind_text(L, 1, "cert", NULL), .key = bind_text(L, 1, "key", NULL) };
  luaL_argcheck(L, !tls.cert == !tls.key, 1, "fields 'cert' and 'key': expected both or none");
  struct listener **box = bind_new(L, LISTENER, sizeof(struct listener *));
  int handler = bind_slot(L, 1, "handler");
  luaL_argcheck(L, handler != LUA_NOREF, 1, "field 'handler': function expected");
  struct listener *listener = calloc(1, sizeof *listener);
  if (!listener) return luaL_error(L, "not enough memory");
  listener->server = server_new(&engine->loop, address, (int)port, tls.cert ? &tls : NULL, on_request,
    listener, &why);
  if (!listener->server) {
    free(listener);
    luaL_unref(L, LUA_REGISTRYINDEX, handler);
    return bind_fail(L, &why);
  }
  listener->engine = engine;
  listener->handler = handler;
  listener->box = box;
  *box = listener;
  engine_own(engine, &listener->resource, close_resource);
  return 1;
}

static const luaL_Reg stream_methods[] = {
  { "write", l_write },
  { "close", l_end },
  { NULL, NULL },
};

static const luaL_Reg listener_methods[] = {
  { "port",  l_port },
  { "close", l_close },
  { NULL, NULL },
};

static const luaL_Reg functions[] = {
  { "listen", l_listen },
  { NULL, NULL },
};

int luaopen_host_server(lua_State *L)
{
  bind_type(L, LISTENER, listener_methods, listener_gc);
  bind_type(L, STREAM, stream_methods, stream_gc);
  bind_type(L, EXCHANGE, NULL, exchange_gc);
  luaL_newlib(L, functions);
  return 1;
}
