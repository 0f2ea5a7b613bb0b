#include "kube.h"

#include "kube_auth.h"
#include "kube_status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS     30000
#define URL_MAX_BYTES  (64u << 10)
#define TYPE_MAX_BYTES 1024
#define JSON_TYPE      "application/json"

/* STREAMS, WAITING --> RUNNING --> CALLING        STREAMS are watches that wait to be sent: they
 *     ^     |             |           ^           do not count against the rate
 *     |     +--> FAILED --|-----------+
 *     +------- 401 -------+ */
enum phase { STREAMS, WAITING, RUNNING, FAILED, CALLING, PHASES };

struct kube_request {
  struct kube *kube;
  struct kube_call call;       /* its texts are ours */
  long idle_ms;
  http_data_cb *on_data;       /* a stream */
  kube_done_cb *on_done;
  void *data;
  struct http_request *http;   /* while RUNNING */
  enum phase phase;
  bool repeated;               /* it got a 401 */
  unsigned generation;         /* of the credentials it was sent with */
  struct reason why;           /* once FAILED */
  struct kube_request *next, **link;
};

/* First in, first out. */
struct line {
  struct kube_request *head, **tail;
};

struct kube {
  uv_loop_t *loop;
  struct http *http;
  struct kube_auth *auth;
  double qps, burst, tokens;   /* the right to so many requests at once */
  uint64_t counted_at;         /* when `tokens` was true */
  long timeout_ms;
  uv_timer_t turn;
  struct line lines[PHASES];
  struct kube_counts counts;
};

/* Lines ---------------------------------------------------------------------------------------- */

static void unlink_request(struct kube_request *r)
{
  struct line *line = &r->kube->lines[r->phase];
  *r->link = r->next;
  if (r->next) r->next->link = r->link;
  else line->tail = r->link;
}

static void link_last(struct kube_request *r, enum phase phase)
{
  struct line *line = &r->kube->lines[phase];
  r->phase = phase;
  r->next = NULL;
  r->link = line->tail;
  *line->tail = r;
  line->tail = &r->next;
}

static void link_first(struct kube_request *r, enum phase phase)
{
  struct line *line = &r->kube->lines[phase];
  r->phase = phase;
  r->next = line->head;
  r->link = &line->head;
  line->head = r;
  if (r->next) r->next->link = &r->next;
  else line->tail = &r->next;
}

static void move_request(struct kube_request *r, enum phase phase)
{
  unlink_request(r);
  link_last(r, phase);
}

static void free_request(struct kube_request *r)
{
  free((char *)r->call.method);
  free((char *)r->call.path);
  free((char *)r->call.content_type);
  free((char *)r->call.accept);
  free((char *)r->call.body);
  free(r);
}

/* Ends ----------------------------------------------------------------------------------------- */

static void tell(struct kube_request *r, const char *body, size_t len, const struct reason *why)
{
  if (why) r->kube->counts.errors++;
  move_request(r, CALLING);
  r->on_done(r->data, body, len, why);
  unlink_request(r);
  free_request(r);
}

static void pump(struct kube *kube);

static void on_turn(uv_timer_t *timer)
{
  struct kube *kube = timer->data;
  size_t n = 0;
  for (struct kube_request *r = kube->lines[FAILED].head; r; r = r->next) n++;
  /* Those that fail meanwhile, perhaps because a callback started them, have a turn of their own. */
  while (n-- && kube->lines[FAILED].head) {
    struct reason why = kube->lines[FAILED].head->why;
    tell(kube->lines[FAILED].head, "", 0, &why);
  }
  pump(kube);
}

/* To be told in a later turn of the loop. */
static void fail(struct kube_request *r, const struct reason *why)
{
  CHECK(why->code);
  r->why = *why;
  move_request(r, FAILED);
  CHECK(!uv_timer_start(&r->kube->turn, on_turn, 0, 0));
}

static void on_http_done(void *data, const struct http_answer *answer, const struct reason *why)
{
  struct kube_request *r = data;
  struct kube *kube = r->kube;
  struct reason cause = { .code = OK };
  r->http = NULL;
  if (answer && answer->status == 401 && !r->repeated) {
    r->repeated = true;
    kube_auth_refused(kube->auth, r->generation);
    unlink_request(r);
    link_first(r, r->on_data ? STREAMS : WAITING);
    pump(kube);
    return;
  }
  if (!answer) cause = *why;
  else if (!kube_status(answer, r->call.method, &cause)) cause.code = OK;
  tell(r, answer ? answer->body : "", answer ? answer->body_len : 0, cause.code ? &cause : NULL);
}

/* The request may be cancelled, and freed, in here. */
static bool on_http_data(void *data, const char *bytes, size_t len)
{
  struct kube_request *r = data;
  return r->on_data(r->data, bytes, len);
}

/* Sending -------------------------------------------------------------------------------------- */

struct texts {
  struct buf url, accept, type;
};

static enum status compose(
  struct texts *t, const struct kube_request *r, const struct kube_credentials *c)
{
  buf_init(&t->url, URL_MAX_BYTES);
  buf_init(&t->accept, TYPE_MAX_BYTES);
  buf_init(&t->type, TYPE_MAX_BYTES);
  enum status status = buf_addf(&t->url, "%s%s", c->config->url, r->call.path);
  if (!status) status = buf_addf(&t->accept, "Accept: %s", r->call.accept);
  if (!status) status = buf_addf(&t->type, "Content-Type: %s", r->call.content_type);
  return status;
}

static enum status send_request(
  struct kube_request *r, const struct kube_credentials *c, struct reason *why)
{
  struct texts t;
  const char *headers[5] = { NULL };
  size_t n = 0;
  enum status status = compose(&t, r, c);
  if (status) reason_set(why, status, "a request that is too long");
  headers[n++] = t.accept.data;
  if (r->call.body) headers[n++] = t.type.data;
  if (c->authorization) headers[n++] = c->authorization;
  if (c->config->host) headers[n++] = c->config->host;
  bool reads = !strcmp(r->call.method, "GET");
  struct http_options options = { .method = r->call.method, .url = t.url.data, .headers = headers,
    .body = r->call.body, .body_len = r->call.body_len, .http1 = !reads,
    .timeout_ms = r->on_data ? 0 : r->kube->timeout_ms, .idle_ms = r->idle_ms, .tls = &c->tls,
    .proxy = c->config->proxy, .connect_to = c->config->connect_to };
  if (!status) {
    r->http = http_start(r->kube->http, &options, r->on_data ? on_http_data : NULL, on_http_done, r, why);
    if (!r->http) status = why->code;
  }
  buf_close(&t.url);
  buf_close(&t.accept);
  buf_close(&t.type);
  return status;
}

static void launch(struct kube_request *r, const struct kube_credentials *c)
{
  struct reason why = { .code = OK };
  r->generation = c->generation;
  if (send_request(r, c, &why)) {
    fail(r, &why);
    return;
  }
  r->kube->counts.requests++;
  move_request(r, RUNNING);
}

/* Takes the right to one request; otherwise the turn comes when there is one. */
static bool may_send(struct kube *kube)
{
  uint64_t now = uv_now(kube->loop);
  if (!(kube->qps > 0)) return true;
  kube->tokens =
    fmin(kube->burst, kube->tokens + (double)(now - kube->counted_at) / 1000 * kube->qps);
  kube->counted_at = now;
  if (kube->tokens >= 1) {
    kube->tokens--;
    return true;
  }
  double ms = ceil((1 - kube->tokens) / kube->qps * 1000);
  bool sooner = uv_is_active((uv_handle_t *)&kube->turn);
  if (!sooner) CHECK(!uv_timer_start(&kube->turn, on_turn, (uint64_t)fmax(ms, 1), 0));
  return false;
}

static void fail_all(struct kube *kube, const struct reason *why)
{
  while (kube->lines[STREAMS].head) fail(kube->lines[STREAMS].head, why);
  while (kube->lines[WAITING].head) fail(kube->lines[WAITING].head, why);
}

/* Sends what may be sent now. Calls nobody back. */
static void pump(struct kube *kube)
{
  struct kube_credentials credentials;
  struct reason why = { .code = OK };
  struct kube_request **streams = &kube->lines[STREAMS].head, **waiting = &kube->lines[WAITING].head;
  if (!*streams && !*waiting) return;
  switch (kube_auth_get(kube->auth, &credentials, &why)) {
  case AUTH_WAIT: return;
  case AUTH_FAILED: fail_all(kube, &why); return;
  case AUTH_READY: break;
  }
  while (*streams) launch(*streams, &credentials);
  while (*waiting && may_send(kube)) launch(*waiting, &credentials);
}

static void on_credentials(void *data)
{
  pump(data);
}

/* Requests ------------------------------------------------------------------------------------- */

static bool copy_text(const char **to, const char *text, const char *otherwise)
{
  *to = strdup(text ? text : otherwise);
  return *to;
}

static bool copy_call(struct kube_call *to, const struct kube_call *from)
{
  bool good = copy_text(&to->method, from->method, "GET") &&
    copy_text(&to->path, from->path, "/") &&
    copy_text(&to->content_type, from->content_type, JSON_TYPE) &&
    copy_text(&to->accept, from->accept, JSON_TYPE);
  if (!good || !from->body) return good;
  char *body = malloc(from->body_len + 1);
  if (!body) return false;
  memcpy(body, from->body, from->body_len);
  body[from->body_len] = '\0';
  to->body = body;
  to->body_len = from->body_len;
  return true;
}

/* Takes `r` (NULL: no memory), whose callbacks are set. */
static struct kube_request *start(struct kube *kube, struct kube_request *r,
  const struct kube_call *call, struct reason *why)
{
  if (!r || !copy_call(&r->call, call)) {
    if (r) free_request(r);
    reason_set(why, NO_MEMORY, "no memory for a request");
    return NULL;
  }
  if (r->call.path[0] != '/') {
    free_request(r);
    reason_set(why, INVALID, "a path that does not begin with a slash");
    return NULL;
  }
  r->kube = kube;
  link_last(r, r->on_data ? STREAMS : WAITING);
  pump(kube);
  return r;
}

struct kube_request *kube_start(struct kube *kube, const struct kube_call *call,
  kube_done_cb *on_done, void *data, struct reason *why)
{
  struct kube_request *r = calloc(1, sizeof *r);
  if (r) *r = (struct kube_request){ .on_done = on_done, .data = data };
  return start(kube, r, call, why);
}

struct kube_request *kube_stream(struct kube *kube, const char *path, const char *accept,
  long idle_ms, http_data_cb *on_data, kube_done_cb *on_done, void *data, struct reason *why)
{
  struct kube_call call = { .method = "GET", .path = path, .accept = accept };
  struct kube_request *r = calloc(1, sizeof *r);
  if (r)
    *r = (struct kube_request){ .idle_ms = idle_ms, .on_data = on_data, .on_done = on_done,
      .data = data };
  return start(kube, r, &call, why);
}

void kube_cancel(struct kube_request *r)
{
  if (r->phase == CALLING) return; /* its end is being told */
  if (r->phase == RUNNING) http_cancel(r->http);
  unlink_request(r);
  free_request(r);
}

/* Life ----------------------------------------------------------------------------------------- */

struct kube *kube_new(
  uv_loop_t *loop, struct http *http, const struct kube_options *o, struct reason *why)
{
  struct kube *kube = calloc(1, sizeof *kube);
  if (!kube) {
    reason_set(why, NO_MEMORY, "no memory for the client of the API server");
    return NULL;
  }
  double burst = fmax(o->burst, 1);
  *kube = (struct kube){ .loop = loop, .http = http, .qps = o->qps, .burst = burst,
    .tokens = burst, .counted_at = uv_now(loop),
    .timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : TIMEOUT_MS };
  for (size_t i = 0; i < PHASES; i++) kube->lines[i].tail = &kube->lines[i].head;
  kube->auth = kube_auth_new(loop, o->kubeconfig, o->master, on_credentials, kube, why);
  if (!kube->auth) {
    free(kube);
    return NULL;
  }
  CHECK(!uv_timer_init(loop, &kube->turn));
  kube->turn.data = kube;
  return kube;
}

static void on_closed(uv_handle_t *handle)
{
  free(handle->data);
}

void kube_free(struct kube *kube)
{
  for (enum phase phase = STREAMS; phase < CALLING; phase++) {
    while (kube->lines[phase].head) kube_cancel(kube->lines[phase].head);
  }
  CHECK(!kube->lines[CALLING].head);
  kube_auth_free(kube->auth);
  kube->auth = NULL;
  uv_close((uv_handle_t *)&kube->turn, on_closed);
}

const char *kube_server(const struct kube *kube)
{
  return kube_auth_config(kube->auth)->server;
}

struct kube_counts kube_counts(const struct kube *kube)
{
  return kube->counts;
}
