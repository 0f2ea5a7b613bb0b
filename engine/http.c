#include "http_setup.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEADER_MAX_BYTES (64u << 10)
#define BODY_MAX_BYTES   (16u << 20)
#define REFUSAL_BYTES    (64u << 10) /* of the body of a stream that is none */
#define MAX_IDLE_CONNECTIONS 64L

/* QUEUED --> RUNNING --> FINISHED --> CALLING
 *               |
 *               +--> DEAD   cancelled inside a callback of curl, which cannot remove it there */
enum phase { QUEUED, RUNNING, FINISHED, DEAD, CALLING, PHASES };

struct http_request {
  struct http *http;
  CURL *easy;
  struct http_lists lists;
  http_data_cb *on_data;
  http_done_cb *on_done;
  void *data;
  enum phase phase;
  CURLcode code;
  enum status broken;         /* why we ended it ourselves */
  bool cut;                   /* enough of a refusal was read */
  struct buf headers, body;
  size_t header_bytes;        /* of all responses, the final one or not */
  long timeout_ms, idle_ms;
  uint64_t last_byte;
  char error[CURL_ERROR_SIZE];
  struct http_request *next, **link;
};

/* First in, first out. */
struct line {
  struct http_request *head, **tail;
};

struct http {
  uv_loop_t *loop;
  CURLM *multi;
  uv_timer_t timer, idle;     /* curl's, and the one that finds idle requests */
  unsigned closing;
  unsigned inside;            /* curl is at work: it must not be called */
  struct line lines[PHASES];
  size_t pending;
};

/* A socket that curl wants to hear of. Freed in its close callback. */
struct watched_socket {
  uv_poll_t poll;
  struct http *http;
  curl_socket_t fd;
};

/* Lines ---------------------------------------------------------------------------------------- */

static void unlink_request(struct http_request *r)
{
  struct line *line = &r->http->lines[r->phase];
  *r->link = r->next;
  if (r->next) r->next->link = r->link;
  else line->tail = r->link;
}

static void link_request(struct http_request *r, enum phase phase)
{
  struct line *line = &r->http->lines[phase];
  r->phase = phase;
  r->next = NULL;
  r->link = line->tail;
  *line->tail = r;
  line->tail = &r->next;
}

static void move_request(struct http_request *r, enum phase phase)
{
  unlink_request(r);
  link_request(r, phase);
}

static void free_request(struct http_request *r)
{
  if (!r->on_data) r->http->pending--;
  curl_easy_cleanup(r->easy);
  http_lists_free(&r->lists);
  buf_close(&r->headers);
  buf_close(&r->body);
  free(r);
}

/* What arrives: inside curl -------------------------------------------------------------------- */

static size_t broken(struct http_request *r, enum status status)
{
  r->broken = status;
  return CURL_WRITEFUNC_ERROR;
}

/* One line; those of an earlier response (a redirect, "100 Continue") are forgotten. */
static size_t on_header(char *bytes, size_t one, size_t len, void *data)
{
  struct http_request *r = data;
  size_t text = len;
  (void)one;
  if (r->phase == DEAD) return CURL_WRITEFUNC_ERROR;
  r->last_byte = uv_now(r->http->loop);
  r->header_bytes += len;
  if (r->header_bytes > HEADER_MAX_BYTES) return broken(r, TOO_LARGE);
  if (len >= 5 && !memcmp(bytes, "HTTP/", 5)) {
    buf_clear(&r->headers);
    return len;
  }
  while (text && strchr("\r\n", bytes[text - 1])) text--;
  if (!text) return len;
  bool folded = strchr(" \t", bytes[0]) && r->headers.len;
  if (folded) r->headers.data[r->headers.len - 1] = ' ';
  size_t start = r->headers.len;
  enum status status = buf_add(&r->headers, bytes, text);
  if (!status) status = buf_add(&r->headers, "\n", 1);
  if (status) return broken(r, status);
  for (char *c = r->headers.data + start; c < r->headers.data + r->headers.len - 1; c++) {
    if ((unsigned char)*c < 0x20) *c = ' ';
  }
  return len;
}

static bool is_good(const struct http_request *r)
{
  long status = 0;
  curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
  return status >= 200 && status < 300;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *data)
{
  struct http_request *r = data;
  (void)one;
  if (r->phase == DEAD) return CURL_WRITEFUNC_ERROR;
  r->last_byte = uv_now(r->http->loop);
  bool streams = r->on_data && is_good(r);
  if (streams) {
    bool more = r->on_data(r->data, bytes, len);
    if (r->phase == DEAD) return CURL_WRITEFUNC_ERROR;
    return more ? len : broken(r, CANCELLED);
  }
  enum status status = buf_add(&r->body, bytes, len);
  if (!status) return len;
  r->cut = r->on_data && status == TOO_LARGE;
  return broken(r, status);
}

/* Sockets and time ----------------------------------------------------------------------------- */

static void after_curl(struct http *http);

static void act(struct http *http, curl_socket_t fd, int events)
{
  int running;
  http->inside++;
  curl_multi_socket_action(http->multi, fd, events, &running);
  http->inside--;
  after_curl(http);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
  struct watched_socket *s = poll->data;
  int flags = status < 0 ? CURL_CSELECT_ERR : 0;
  if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
  if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
  act(s->http, s->fd, flags);
}

static void on_poll_closed(uv_handle_t *handle)
{
  free(handle->data);
}

static struct watched_socket *watch_socket(struct http *http, curl_socket_t fd)
{
  struct watched_socket *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  if (uv_poll_init_socket(http->loop, &s->poll, fd)) {
    free(s);
    return NULL;
  }
  s->http = http;
  s->fd = fd;
  s->poll.data = s;
  curl_multi_assign(http->multi, fd, s);
  return s;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *socket)
{
  struct http *http = data;
  struct watched_socket *s = socket;
  (void)easy;
  if (what == CURL_POLL_REMOVE) {
    if (s) uv_close((uv_handle_t *)&s->poll, on_poll_closed);
    curl_multi_assign(http->multi, fd, NULL);
    return 0;
  }
  if (!s) s = watch_socket(http, fd);
  if (!s) return -1;
  int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
  return uv_poll_start(&s->poll, events, on_poll) ? -1 : 0;
}

static void on_time(uv_timer_t *timer)
{
  act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer(CURLM *multi, long ms, void *data)
{
  struct http *http = data;
  (void)multi;
  if (ms < 0) return uv_timer_stop(&http->timer) ? -1 : 0;
  return uv_timer_start(&http->timer, on_time, (uint64_t)ms, 0) ? -1 : 0;
}

/* The end of a request ------------------------------------------------------------------------- */

static enum status status_of(const struct http_request *r)
{
  if (r->broken) return r->broken;
  switch (r->code) {
  case CURLE_OPERATION_TIMEDOUT: return TIMEOUT;
  case CURLE_FILESIZE_EXCEEDED: return TOO_LARGE;
  case CURLE_OUT_OF_MEMORY: return NO_MEMORY;
  default: return UNREACHABLE;
  }
}

static void explain(const struct http_request *r, struct reason *why)
{
  char text[CURL_ERROR_SIZE];
  enum status status = status_of(r);
  curl_off_t ready = 0;
  snprintf(text, sizeof text, "%s", r->error[0] ? r->error : curl_easy_strerror(r->code));
  http_tidy(text);
  curl_easy_getinfo(r->easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
  if (status == CANCELLED) reason_set(why, status, "the reader wants no more");
  else if (status == NO_MEMORY) reason_set(why, status, "no memory for the answer");
  else if (status == TOO_LARGE && r->header_bytes <= HEADER_MAX_BYTES)
    reason_set(why, status, "the answer has more than %zu bytes", r->body.max);
  else if (status == TOO_LARGE) reason_set(why, status, "the answer's header is too large");
  else if (status == TIMEOUT && r->broken)
    reason_set(why, status, "nothing was received for %ld ms", r->idle_ms);
  else if (status == TIMEOUT && !ready) reason_set(why, status, "no connection in time");
  else if (status == TIMEOUT) reason_set(why, status, "no answer within %ld ms", r->timeout_ms);
  else reason_set(why, status, "%s", text);
}

static void call_done(struct http_request *r)
{
  struct reason why = { .code = OK };
  long status = 0;
  if ((r->code && !r->cut) || r->broken == TIMEOUT) {
    explain(r, &why);
    r->on_done(r->data, NULL, &why);
    return;
  }
  curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
  struct http_answer answer = { (int)status, r->body.data ? r->body.data : "", r->body.len,
    r->headers.data ? r->headers.data : "" };
  r->on_done(r->data, &answer, &why);
}

static void finish(struct http_request *r, CURLcode code)
{
  if (r->phase != RUNNING) return;
  r->code = code;
  curl_multi_remove_handle(r->http->multi, r->easy);
  move_request(r, FINISHED);
}

static void drop(struct http_request *r)
{
  curl_multi_remove_handle(r->http->multi, r->easy);
  unlink_request(r);
  free_request(r);
}

static void deliver(struct http *http)
{
  struct http_request *r;
  while ((r = http->lines[FINISHED].head)) {
    move_request(r, CALLING);
    call_done(r);
    unlink_request(r);
    free_request(r);
  }
}

static bool add(struct http_request *r)
{
  if (curl_multi_add_handle(r->http->multi, r->easy)) return false;
  r->last_byte = uv_now(r->http->loop);
  return true;
}

/* Whenever curl has done something. Callbacks may start and cancel anything. */
static void after_curl(struct http *http)
{
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(http->multi, &left))) {
    struct http_request *r = NULL;
    CURLcode code = message->data.result;
    if (message->msg != CURLMSG_DONE) continue;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&r);
    finish(r, code);
  }
  while (http->lines[DEAD].head) drop(http->lines[DEAD].head);
  while (http->lines[QUEUED].head) {
    struct http_request *r = http->lines[QUEUED].head;
    move_request(r, RUNNING);
    if (!add(r)) finish(r, CURLE_OUT_OF_MEMORY);
  }
  deliver(http);
}

/* Silence -------------------------------------------------------------------------------------- */

static void on_idle(uv_timer_t *timer);

static void watch_idle(struct http *http, uint64_t due)
{
  uint64_t now = uv_now(http->loop);
  bool sooner = !uv_is_active((uv_handle_t *)&http->idle) ||
    due < now + uv_timer_get_due_in(&http->idle);
  if (sooner) CHECK(!uv_timer_start(&http->idle, on_idle, due > now ? due - now : 1, 0));
}

static void on_idle(uv_timer_t *timer)
{
  struct http *http = timer->data;
  uint64_t now = uv_now(http->loop);
  for (struct http_request *r = http->lines[RUNNING].head, *next; r; r = next) {
    next = r->next;
    if (!r->idle_ms) continue;
    uint64_t due = r->last_byte + (uint64_t)r->idle_ms;
    if (due > now) {
      watch_idle(http, due);
      continue;
    }
    r->broken = TIMEOUT;
    finish(r, CURLE_OPERATION_TIMEDOUT);
  }
  deliver(http);
}

/* Requests ------------------------------------------------------------------------------------- */

static bool hook(struct http_request *r)
{
  CURL *easy = r->easy;
  return !curl_easy_setopt(easy, CURLOPT_PRIVATE, r) &&
    !curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, r->error) &&
    !curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) &&
    !curl_easy_setopt(easy, CURLOPT_HEADERDATA, r) &&
    !curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) &&
    !curl_easy_setopt(easy, CURLOPT_WRITEDATA, r);
}

struct http_request *http_start(struct http *http, const struct http_options *options,
  http_data_cb *on_data, http_done_cb *on_done, void *data, struct reason *why)
{
  struct http_options o = *options;
  struct http_request *r = calloc(1, sizeof *r);
  CURL *easy = curl_easy_init();
  if (!r || !easy) {
    free(r);
    curl_easy_cleanup(easy);
    reason_set(why, NO_MEMORY, "no memory for a request");
    return NULL;
  }
  *r = (struct http_request){ .http = http, .easy = easy, .on_data = on_data, .on_done = on_done,
    .data = data, .timeout_ms = o.timeout_ms, .idle_ms = o.idle_ms > 0 ? o.idle_ms : 0 };
  if (!on_data) http->pending++;
  o.max_body = on_data ? 0 : o.max_body ? o.max_body : BODY_MAX_BYTES;
  buf_init(&r->headers, HEADER_MAX_BYTES);
  buf_init(&r->body, on_data ? REFUSAL_BYTES : o.max_body);
  if (http_setup(easy, &o, &r->lists, why)) goto failed;
  bool good = hook(r) && (http->inside || add(r));
  if (good) {
    link_request(r, http->inside ? QUEUED : RUNNING);
    if (r->idle_ms) watch_idle(http, uv_now(http->loop) + (uint64_t)r->idle_ms);
    return r;
  }
  reason_set(why, NO_MEMORY, "no memory for a request");
failed:
  free_request(r);
  return NULL;
}

void http_cancel(struct http_request *r)
{
  switch (r->phase) {
  case RUNNING:
    if (!r->http->inside) drop(r);
    else move_request(r, DEAD);
    return;
  case QUEUED:
  case FINISHED:
    unlink_request(r);
    free_request(r);
    return;
  default: return; /* its end is being told, or it was cancelled */
  }
}

const char *http_header(const struct http_answer *answer, const char *name, char *out, size_t size)
{
  size_t len = strlen(name);
  CHECK(size);
  out[0] = '\0';
  for (const char *line = answer->headers, *end; (end = strchr(line, '\n')); line = end + 1) {
    if (strncasecmp(line, name, len) != 0 || line[len] != ':') continue;
    line += len + 1;
    line += strspn(line, " \t");
    while (end > line && strchr(" \t", end[-1])) end--;
    snprintf(out, size, "%.*s", (int)(end - line), line);
    return out;
  }
  return out;
}

size_t http_pending(const struct http *http)
{
  return http->pending;
}

/* Life ----------------------------------------------------------------------------------------- */

struct http *http_new(uv_loop_t *loop, struct reason *why)
{
  struct http *http = calloc(1, sizeof *http);
  CURLM *multi = NULL;
  bool global = http && !curl_global_init(CURL_GLOBAL_DEFAULT);
  if (global) multi = curl_multi_init();
  if (!multi) {
    if (global) curl_global_cleanup();
    free(http);
    reason_set(why, NO_MEMORY, "no memory for the HTTP client");
    return NULL;
  }
  *http = (struct http){ .loop = loop, .multi = multi };
  for (size_t i = 0; i < PHASES; i++) http->lines[i].tail = &http->lines[i].head;
  CHECK(!uv_timer_init(loop, &http->timer) && !uv_timer_init(loop, &http->idle));
  http->timer.data = http->idle.data = http;
  CHECK(!curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket));
  CHECK(!curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, http));
  CHECK(!curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer));
  CHECK(!curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http));
  CHECK(!curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX));
  CHECK(!curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, MAX_IDLE_CONNECTIONS));
  return http;
}

static void on_http_closed(uv_handle_t *handle)
{
  struct http *http = handle->data;
  if (++http->closing == 2) free(http);
}

void http_free(struct http *http)
{
  CHECK(!http->inside);
  for (enum phase phase = QUEUED; phase < CALLING; phase++) {
    while (http->lines[phase].head) drop(http->lines[phase].head);
  }
  curl_multi_cleanup(http->multi); /* tells on_socket of the sockets it closes */
  uv_close((uv_handle_t *)&http->timer, on_http_closed);
  uv_close((uv_handle_t *)&http->idle, on_http_closed);
  curl_global_cleanup();
}
