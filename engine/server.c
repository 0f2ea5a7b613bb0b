#include "server.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY_MAX_BYTES  (4u << 20)
#define QUEUE_MAX_BYTES (8u << 20) /* of a stream whose peer does not read */
#define MAX_CONNECTIONS 512
#define BACKLOG         128
#define IDLE_S          5          /* without a byte */
#define STREAM_IDLE_S   30         /* the same while a stream has bytes to send */
#define REQUEST_MS      10000      /* for a whole request, however its bytes trickle */
#define STREAM_BLOCK    (16u << 10)

/* One connection of a peer, with one exchange at a time. */
struct peer {
  struct MHD_Connection *connection;
  uint64_t reading_since; /* 0 while a request is being answered */
  struct peer *next, **link;
};

/* Says when the peer of a suspended connection leaves; the library does not look then. Freed in its
 * close callback. */
struct lookout {
  uv_poll_t poll;
  struct server_exchange *exchange; /* NULL once it is over */
};

struct server_exchange {
  struct server *server;
  struct MHD_Connection *connection; /* NULL until the request's header is there, and at the end */
  char *path, *query;                /* one allocation, at `path` */
  bool malformed;
  struct buf body, out;
  size_t promised;                   /* the length of a truncated answer */
  int status;
  struct MHD_Response *response;
  bool asked, given, suspended, streams, silent, reset;
  bool ended, broken;                /* of a stream: by us in good order, or not */
  struct lookout *lookout;
  void (*on_close)(void *data);
  void *data;
  struct server_exchange *next, **link;
};

struct server {
  uv_loop_t *loop;
  struct MHD_Daemon *daemon;
  uv_poll_t poll;
  uv_timer_t timer, sweep;
  server_cb *on_request;
  void *data;
  int port;
  bool running, closing;
  unsigned closed_handles;
  struct peer *peers;
  struct server_exchange *exchanges; /* with a connection, or waited for */
  struct server_exchange *over;      /* whose on_close is due */
};

/* Turns ---------------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

/* The library is run from the loop only, never from inside a call of ours. */
static void kick(struct server *server)
{
  if (!server->closing) uv_timer_start(&server->timer, on_timer, 0, 0);
}

static void suspend(struct server_exchange *x)
{
  x->suspended = true;
  MHD_suspend_connection(x->connection);
}

static void resume(struct server_exchange *x)
{
  if (!x->suspended || !x->connection) return;
  x->suspended = false;
  MHD_resume_connection(x->connection);
  kick(x->server);
}

/* Exchanges ------------------------------------------------------------------------------------ */

static void link_exchange(struct server_exchange *x, struct server_exchange **list)
{
  x->next = *list;
  x->link = list;
  if (x->next) x->next->link = &x->next;
  *list = x;
}

static void unlink_exchange(struct server_exchange *x)
{
  *x->link = x->next;
  if (x->next) x->next->link = x->link;
}

static void on_lookout_closed(uv_handle_t *handle)
{
  free(handle->data);
}

static void close_lookout(struct server_exchange *x)
{
  if (!x->lookout) return;
  x->lookout->exchange = NULL;
  uv_close((uv_handle_t *)&x->lookout->poll, on_lookout_closed);
  x->lookout = NULL;
}

static void free_exchange(struct server_exchange *x)
{
  unlink_exchange(x);
  close_lookout(x);
  if (x->response) MHD_destroy_response(x->response);
  buf_close(&x->body);
  buf_close(&x->out);
  free(x->path);
  free(x);
}

static void on_left(uv_poll_t *poll, int status, int events)
{
  struct lookout *lookout = poll->data;
  (void)status;
  (void)events;
  uv_poll_stop(poll);
  if (!lookout->exchange) return;
  lookout->exchange->broken = true;
  resume(lookout->exchange);
}

static void look_out(struct server_exchange *x)
{
  const union MHD_ConnectionInfo *info =
    MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  struct lookout *lookout = x->lookout ? NULL : calloc(1, sizeof *lookout);
  if (!info || !lookout) return;
  if (uv_poll_init(x->server->loop, &lookout->poll, info->connect_fd)) {
    free(lookout);
    return;
  }
  lookout->exchange = x;
  lookout->poll.data = lookout;
  x->lookout = lookout;
  uv_poll_start(&lookout->poll, UV_DISCONNECT, on_left);
}

/* Requests ------------------------------------------------------------------------------------- */

static int hex(char c)
{
  if (c >= '0' && c <= '9') return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place. False for what cannot be a path. */
static bool decode(char *path)
{
  char *to = path;
  if (*path != '/') return false;
  for (const char *from = path; *from; from++) {
    int c = (unsigned char)*from;
    if (c == '%') {
      int high = hex(from[1]), low = high < 0 ? -1 : hex(from[2]);
      if (low < 0) return false;
      c = high * 16 + low;
      from += 2;
    }
    if (!c) return false;
    *to++ = (char)c;
  }
  *to = '\0';
  return true;
}

/* The request line is there. What is returned follows the request. */
static void *on_target(void *data, const char *target, struct MHD_Connection *connection)
{
  struct server *server = data;
  struct server_exchange *x = calloc(1, sizeof *x);
  char *copy = strdup(target);
  (void)connection;
  if (!x || !copy) {
    free(x);
    free(copy);
    return NULL;
  }
  *x = (struct server_exchange){ .server = server, .path = copy };
  buf_init(&x->body, BODY_MAX_BYTES);
  buf_init(&x->out, QUEUE_MAX_BYTES);
  char *mark = strchr(copy, '?');
  if (mark) *mark = '\0';
  x->query = mark ? mark + 1 : copy + strlen(copy);
  size_t before = strlen(copy);
  x->malformed = !decode(copy);
  if (!mark) x->query -= before - strlen(copy);
  link_exchange(x, &server->exchanges);
  return x;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, int status)
{
  struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
  if (!response) return MHD_NO;
  enum MHD_Result result = MHD_queue_response(connection, (unsigned)status, response);
  MHD_destroy_response(response);
  return result;
}

static bool too_long(struct MHD_Connection *connection)
{
  const char *text = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
  return text && strtoull(text, NULL, 10) > BODY_MAX_BYTES;
}

static struct peer *peer_of(struct MHD_Connection *connection)
{
  const union MHD_ConnectionInfo *info =
    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info ? info->socket_context : NULL;
}

static void break_connection(struct server_exchange *x)
{
  struct linger now = { .l_onoff = 1, .l_linger = 0 };
  const union MHD_ConnectionInfo *info =
    MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  if (info) setsockopt(info->connect_fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

/* What was given is sent; for what was not, the connection waits. */
static enum MHD_Result go_on(struct server_exchange *x)
{
  if (x->reset) break_connection(x);
  if (x->reset || (x->broken && !x->response)) return MHD_NO;
  if (x->streams || x->silent) look_out(x);
  if (!x->given || x->silent) {
    suspend(x);
    return MHD_YES;
  }
  if (x->streams) MHD_set_connection_option(x->connection, MHD_CONNECTION_OPTION_TIMEOUT, STREAM_IDLE_S);
  struct MHD_Response *response = x->response;
  x->response = NULL;
  enum MHD_Result result = MHD_queue_response(x->connection, (unsigned)x->status, response);
  MHD_destroy_response(response);
  return result;
}

static enum MHD_Result ask(struct server_exchange *x, const char *method)
{
  struct server *server = x->server;
  struct peer *peer = peer_of(x->connection);
  if (peer) peer->reading_since = 0;
  x->asked = true;
  struct server_request request = { method, x->path, x->query, x->body.data ? x->body.data : "",
    x->body.len, x };
  server->on_request(server->data, &request);
  return go_on(x);
}

/* Called with the header, with each part of the body, at the end of it, and after a resume. */
static enum MHD_Result on_access(void *data, struct MHD_Connection *connection, const char *url,
  const char *method, const char *version, const char *upload, size_t *len, void **context)
{
  struct server_exchange *x = *context;
  (void)data;
  (void)url;
  (void)version;
  if (!x) return MHD_NO;
  if (!x->connection) {
    x->connection = connection;
    if (x->malformed) return refuse(connection, MHD_HTTP_BAD_REQUEST);
    return too_long(connection) ? refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE) : MHD_YES;
  }
  if (*len) {
    enum status status = buf_add(&x->body, upload, *len);
    *len = 0;
    return status ? MHD_NO : MHD_YES;
  }
  return x->asked ? go_on(x) : ask(x, method);
}

static void on_completed(void *data, struct MHD_Connection *connection, void **context,
  enum MHD_RequestTerminationCode code)
{
  struct server *server = data;
  struct server_exchange *x = *context;
  struct peer *peer = peer_of(connection);
  (void)code;
  *context = NULL;
  if (peer) peer->reading_since = uv_now(server->loop);
  if (!x) return;
  bool waited_for = x->asked && !x->given && !server->closing; /* somebody will answer it */
  x->connection = NULL;
  close_lookout(x);
  if (x->streams && !server->closing) {
    unlink_exchange(x);
    link_exchange(x, &server->over);
  } else if (!waited_for) {
    free_exchange(x);
  }
}

/* Answers -------------------------------------------------------------------------------------- */

static void add_headers(struct MHD_Response *response, const char *const *headers)
{
  char name[128];
  for (; headers && *headers; headers++) {
    const char *colon = strchr(*headers, ':');
    size_t len = colon ? (size_t)(colon - *headers) : sizeof name;
    if (len >= sizeof name) continue;
    memcpy(name, *headers, len);
    name[len] = '\0';
    MHD_add_response_header(response, name, colon + 1 + strspn(colon + 1, " \t"));
  }
}

/* Takes `response`, NULL for none. */
static void give(struct server_exchange *x, int status, struct MHD_Response *response)
{
  CHECK(x->asked && !x->given);
  x->given = true;
  x->status = status;
  x->response = response;
  if (!response && !x->silent) x->reset = true;
  if (x->connection) resume(x);
  else free_exchange(x);
}

void server_answer(
  struct server_exchange *x, int status, const char *const *headers, const char *body, size_t len)
{
  struct MHD_Response *response =
    MHD_create_response_from_buffer(len, (void *)body, MHD_RESPMEM_MUST_COPY);
  if (response) add_headers(response, headers);
  give(x, status, response);
}

static ssize_t read_stream(void *data, uint64_t at, char *to, size_t max)
{
  struct server_exchange *x = data;
  (void)at;
  if (x->broken) return MHD_CONTENT_READER_END_WITH_ERROR;
  if (!x->out.len && x->ended) return MHD_CONTENT_READER_END_OF_STREAM;
  if (!x->out.len) {
    suspend(x);
    return 0;
  }
  size_t len = x->out.len < max ? x->out.len : max;
  memcpy(to, x->out.data, len);
  buf_shift(&x->out, len);
  return (ssize_t)len;
}

void server_stream(struct server_exchange *x, int status, const char *const *headers,
  void (*on_close)(void *data), void *data)
{
  struct MHD_Response *response =
    MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, x, NULL);
  if (response) add_headers(response, headers);
  x->streams = true;
  x->on_close = on_close;
  x->data = data;
  if (!x->connection) { /* the peer did not wait: on_close is all that is left */
    unlink_exchange(x);
    link_exchange(x, &x->server->over);
    x->given = true;
    x->response = response;
    kick(x->server);
    return;
  }
  give(x, status, response);
}

void server_write(struct server_exchange *x, const char *bytes, size_t len)
{
  CHECK(x->streams);
  if (!x->connection || x->ended || x->broken) return;
  if (buf_add(&x->out, bytes, len)) x->broken = true;
  resume(x);
}

void server_end(struct server_exchange *x)
{
  CHECK(x->streams);
  x->ended = true;
  resume(x);
}

/* Half of the body. */
static ssize_t read_half(void *data, uint64_t at, char *to, size_t max)
{
  struct server_exchange *x = data;
  size_t left = at < x->promised / 2 ? x->promised / 2 - (size_t)at : 0;
  size_t len = left < max ? left : max;
  if (!len) return MHD_CONTENT_READER_END_WITH_ERROR;
  memcpy(to, x->out.data + at, len);
  return (ssize_t)len;
}

void server_fail(struct server_exchange *x, enum server_fault fault, const char *body, size_t len)
{
  struct MHD_Response *response = NULL;
  x->silent = fault == SERVER_SILENCE;
  if (fault == SERVER_TRUNCATE && !buf_add(&x->out, body, len)) {
    x->promised = len;
    response = MHD_create_response_from_callback(len, STREAM_BLOCK, read_half, x, NULL);
  }
  give(x, MHD_HTTP_OK, response);
}

const char *server_header(struct server_exchange *x, const char *name)
{
  return x->connection ? MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name) : NULL;
}

/* The loop ------------------------------------------------------------------------------------- */

static void close_over(struct server *server)
{
  while (server->over) {
    struct server_exchange *x = server->over;
    unlink_exchange(x);
    x->link = &x->next; /* in no list: server_free may be called from on_close */
    x->next = NULL;
    if (x->on_close) x->on_close(x->data);
    free_exchange(x);
  }
}

static void run(struct server *server)
{
  MHD_UNSIGNED_LONG_LONG ms;
  if (server->closing) return;
  server->running = true;
  MHD_run(server->daemon);
  server->running = false;
  if (MHD_get_timeout(server->daemon, &ms) == MHD_YES)
    uv_timer_start(&server->timer, on_timer, (uint64_t)ms, 0);
  else if (!server->over) uv_timer_stop(&server->timer);
  close_over(server);
}

static void on_timer(uv_timer_t *timer)
{
  run(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
  (void)status;
  (void)events;
  run(poll->data);
}

/* A request that trickles. */
static void on_sweep(uv_timer_t *timer)
{
  struct server *server = timer->data;
  uint64_t now = uv_now(server->loop);
  for (struct peer *peer = server->peers; peer; peer = peer->next) {
    if (!peer->reading_since || now - peer->reading_since < REQUEST_MS) continue;
    const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(peer->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info) shutdown(info->connect_fd, SHUT_RDWR);
  }
}

static void on_connection(void *data, struct MHD_Connection *connection, void **context,
  enum MHD_ConnectionNotificationCode code)
{
  struct server *server = data;
  struct peer *peer = *context;
  if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
    if (!peer) return;
    *peer->link = peer->next;
    if (peer->next) peer->next->link = peer->link;
    *context = NULL;
    free(peer);
    if (!server->peers && !server->closing) uv_timer_stop(&server->sweep);
    return;
  }
  peer = calloc(1, sizeof *peer);
  if (!peer) return;
  if (!server->peers) uv_timer_start(&server->sweep, on_sweep, 1000, 1000);
  *peer = (struct peer){ connection, uv_now(server->loop), server->peers, &server->peers };
  if (peer->next) peer->next->link = &peer->next;
  server->peers = peer;
  *context = peer;
}

/* Life ----------------------------------------------------------------------------------------- */

union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

static int port_of(int fd)
{
  union address address;
  socklen_t len = sizeof address;
  if (getsockname(fd, &address.any, &len)) return -1;
  return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

/* A listening socket, or -1 with `why`. */
static int listen_on(const char *text, int port, struct reason *why)
{
  union address address = { 0 };
  int yes = 1, no = 0;
  bool v6 = strchr(text, ':');
  if (v6 ? uv_ip6_addr(text, port, &address.v6) : uv_ip4_addr(text, port, &address.v4)) {
    reason_set(why, INVALID, "%.60s is not an IP address", text);
    return -1;
  }
  int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) goto failed;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (v6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
  if (bind(fd, &address.any, v6 ? sizeof address.v6 : sizeof address.v4)) goto failed;
  if (!listen(fd, BACKLOG)) return fd;
failed:
  reason_set(why, UNREACHABLE, "%s port %d: %s", text, port, uv_strerror(uv_translate_sys_error(errno)));
  if (fd >= 0) close(fd);
  return -1;
}

static struct MHD_Daemon *start_daemon(struct server *server, int fd, const struct server_tls *tls)
{
  struct MHD_OptionItem secure[] = {
    { tls ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0, tls ? (void *)tls->cert : NULL },
    { tls ? MHD_OPTION_HTTPS_MEM_KEY : MHD_OPTION_END, 0, tls ? (void *)tls->key : NULL },
    { MHD_OPTION_END, 0, NULL } };
  unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (tls ? MHD_USE_TLS : 0);
  return MHD_start_daemon(flags, 0, NULL, NULL, on_access, server, MHD_OPTION_ARRAY, secure,
    MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_CONNECTIONS,
    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_URI_LOG_CALLBACK, on_target, server,
    MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
    server, MHD_OPTION_END);
}

struct server *server_new(uv_loop_t *loop, const char *address, int port, const struct server_tls *tls,
  server_cb *on_request, void *data, struct reason *why)
{
  int fd = listen_on(address, port, why);
  if (fd < 0) return NULL;
  struct server *server = calloc(1, sizeof *server);
  if (!server) goto failed;
  *server = (struct server){ .loop = loop, .on_request = on_request, .data = data, .port = port_of(fd) };
  server->daemon = start_daemon(server, fd, tls);
  if (!server->daemon) goto failed;
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
  CHECK(info && !uv_poll_init(loop, &server->poll, info->epoll_fd));
  CHECK(!uv_timer_init(loop, &server->timer) && !uv_timer_init(loop, &server->sweep));
  server->poll.data = server->timer.data = server->sweep.data = server;
  CHECK(!uv_poll_start(&server->poll, UV_READABLE, on_poll));
  return server;
failed:
  close(fd);
  free(server);
  reason_set(why, NO_MEMORY, "cannot start an HTTP server");
  return NULL;
}

int server_port(const struct server *server)
{
  return server->port;
}

static void on_handle_closed(uv_handle_t *handle)
{
  struct server *server = handle->data;
  if (++server->closed_handles == 3) free(server);
}

void server_free(struct server *server)
{
  CHECK(!server->running && !server->closing);
  server->closing = true;
  uv_close((uv_handle_t *)&server->poll, on_handle_closed); /* before its descriptor goes */
  uv_close((uv_handle_t *)&server->timer, on_handle_closed);
  uv_close((uv_handle_t *)&server->sweep, on_handle_closed);
  for (struct server_exchange *x = server->exchanges; x; x = x->next) resume(x);
  MHD_stop_daemon(server->daemon);
  while (server->over) free_exchange(server->over);
  while (server->exchanges) free_exchange(server->exchanges);
}
