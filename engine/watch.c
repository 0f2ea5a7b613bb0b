#include "watch.h"

#include "digest.h"
#include "watch_frames.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PAGE             500
#define FIRST_DELAY_MS   100u
#define LONGEST_DELAY_MS 30000u
#define ABSENT_MS        1000u /* doubling to LONGEST_DELAY_MS */
#define WATCH_MIN_S      300u  /* the server is asked to end a watch after this to twice this */
#define GRACE_MS         30000u
#define SILENCE_MS       150000u /* once the server was seen to send a bookmark every minute */
#define SETTLED_MS       1000u /* a watch that lasted so long did not end because of an error */
#define VERSION_SIZE     256
#define PATH_MAX_BYTES   (32u << 10)
#define ACCEPT_OBJECTS   "application/json"
#define ACCEPT_LIST      "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1," ACCEPT_OBJECTS
#define ACCEPT_WATCH     "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1," ACCEPT_OBJECTS

/* Freed when its timer is closed, so it is still there when a callback that freed it returns. */
struct watch {
  uv_loop_t *loop;
  struct kube *kube;
  char *path, *selector;       /* selector: "" for none */
  bool metadata;
  long page;                   /* of the next list; smaller after answers that were too large */
  watch_cb *on_event;
  void *data;
  struct kube_request *request;
  uv_timer_t timer;            /* until the next request */
  struct frames frames;
  struct buf resume;           /* the list's continue token; empty at its beginning */
  char listed[VERSION_SIZE];   /* resourceVersion of the list under way */
  char version[VERSION_SIZE];  /* where a watch begins */
  struct reason cause;         /* why a stream was ended by us */
  bool listing;                /* what the next request is */
  bool synced;                 /* the collection was there the last time */
  bool doubted;                /* and now it got a 404 */
  bool heard;                  /* bytes came on this stream */
  bool marked;                 /* the server sends bookmarks */
  bool dead;
  unsigned tries, relists, absences; /* in a row */
  uint64_t sent_at, idle_ms;   /* of the stream */
};

static void try_now(struct watch *watch);

/* Time ----------------------------------------------------------------------------------------- */

/* From 0 to `range`. */
static uint64_t chance(uint64_t range)
{
  uint32_t dice;
  if (digest_random(&dice, sizeof dice)) dice = (uint32_t)uv_hrtime();
  return dice % (range + 1);
}

static void on_time(uv_timer_t *timer)
{
  try_now(timer->data);
}

/* Half of it to all of it, so that many watches do not come back at once. */
static void try_in(struct watch *watch, uint64_t ms)
{
  CHECK(!uv_timer_start(&watch->timer, on_time, ms / 2 + chance(ms / 2), 0));
}

static uint64_t doubled(uint64_t ms, unsigned times)
{
  while (times-- && ms < LONGEST_DELAY_MS) ms *= 2;
  return ms < LONGEST_DELAY_MS ? ms : LONGEST_DELAY_MS;
}

static void back_off(struct watch *watch)
{
  try_in(watch, doubled(FIRST_DELAY_MS, watch->tries++));
}

/* Telling -------------------------------------------------------------------------------------- */

/* False when the watch was freed in the call. */
static bool tell(
  struct watch *watch, enum watch_event event, json_t *object, const struct reason *why)
{
  watch->on_event(watch->data, event, object, why);
  return !watch->dead;
}

/* What follows is arranged first: the callback may free the watch. */
static void failed(struct watch *watch, const struct reason *why)
{
  if (why->retry_after > 0) {
    double most = LONGEST_DELAY_MS / 1000, s = why->retry_after < most ? why->retry_after : most;
    watch->tries++;
    try_in(watch, (uint64_t)(s * 2000)); /* half of it is the least */
  } else back_off(watch);
  tell(watch, WATCH_FAILED, NULL, why);
}

/* The list begins anew. A list that succeeds does not make up for what made it necessary, so
 * lists in a row have a back-off of their own. */
static void relist(struct watch *watch)
{
  watch->listing = true;
  buf_clear(&watch->resume);
  if (watch->tries < watch->relists) watch->tries = watch->relists;
  watch->relists++;
}

/* 404. One alone may come from a server that is starting: what was there is not given up for it. */
static void absent(struct watch *watch)
{
  relist(watch);
  if (watch->synced && !watch->doubted) {
    watch->doubted = true;
    try_in(watch, ABSENT_MS);
    return;
  }
  watch->synced = false;
  try_in(watch, doubled(ABSENT_MS, watch->absences++));
  tell(watch, WATCH_ABSENT, NULL, NULL);
}

/* Lists ---------------------------------------------------------------------------------------- */

static enum status escape(struct buf *out, const char *text)
{
  enum status status = OK;
  for (; !status && *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (isalnum(c) || strchr("-._~", c)) status = buf_add(out, text, 1);
    else status = buf_addf(out, "%%%02X", c);
  }
  return status;
}

static enum status add_field(struct buf *out, const char *name, const char *value)
{
  if (!*value) return OK;
  enum status status = buf_addf(out, "&%s=", name);
  return status ? status : escape(out, value);
}

/* A resourceVersion is opaque, but bounded. */
static enum status read_version(
  const json_t *object, char out[VERSION_SIZE], struct reason *why)
{
  const char *version = json_text_at(object, "metadata", "resourceVersion", NULL);
  if (strlen(version) >= VERSION_SIZE)
    return reason_set(why, BAD_ANSWER, "a resourceVersion of %zu bytes", strlen(version));
  if (*version) snprintf(out, VERSION_SIZE, "%s", version);
  return OK;
}

/* Checks all of a page before anybody hears of it. */
static enum status check_page(struct watch *watch, const json_t *list, struct reason *why)
{
  const json_t *items = json_object_get(list, "items"), *item;
  size_t i;
  if (!json_is_array(items) && !json_is_null(items))
    return reason_set(why, BAD_ANSWER, "the list has no items");
  json_array_foreach(items, i, item) {
    if (!json_is_object(item)) return reason_set(why, BAD_ANSWER, "the list has odd items");
  }
  if (watch->resume.len) return OK;
  watch->listed[0] = '\0';
  enum status status = read_version(list, watch->listed, why);
  if (!status && !watch->listed[0])
    status = reason_set(why, BAD_ANSWER, "the list has no resourceVersion");
  return status;
}

static void end_list(struct watch *watch)
{
  memcpy(watch->version, watch->listed, VERSION_SIZE);
  watch->listing = false;
  watch->synced = true;
  watch->doubted = false;
  watch->absences = 0;
  if (tell(watch, WATCH_SYNCED, NULL, NULL)) try_now(watch);
}

static void take_page(struct watch *watch, const json_t *list)
{
  const char *token = json_text_at(list, "metadata", "continue", NULL);
  const json_t *items = json_object_get(list, "items");
  json_t *item;
  size_t i;
  watch->tries = 0;
  if (!watch->resume.len && !tell(watch, WATCH_RESET, NULL, NULL)) return;
  json_array_foreach(items, i, item) {
    if (!tell(watch, WATCH_CHANGED, item, NULL)) return;
  }
  buf_clear(&watch->resume);
  if (!*token) {
    end_list(watch);
    return;
  }
  struct reason why;
  if (!buf_adds(&watch->resume, token)) {
    try_now(watch);
    return;
  }
  reason_set(&why, BAD_ANSWER, "a continue token of %zu bytes", strlen(token));
  failed(watch, &why);
}

static void list_failed(struct watch *watch, const struct reason *why)
{
  bool resumed = watch->resume.len;
  if (why->code == NOT_FOUND) {
    absent(watch);
    return;
  }
  if (why->code == TOO_LARGE && watch->page > 1) {
    watch->page /= 2;
    back_off(watch);
    return;
  }
  if (resumed && (why->code == GONE || why->code == INVALID)) {
    relist(watch); /* the token is too old */
    back_off(watch);
    return;
  }
  failed(watch, why);
}

static void on_page(void *data, const char *body, size_t len, const struct reason *why)
{
  struct watch *watch = data;
  struct reason cause = { .code = OK };
  watch->request = NULL;
  if (why) {
    list_failed(watch, why);
    return;
  }
  json_t *list = json_read(body, len, &cause);
  if (!list) reason_set(&cause, BAD_ANSWER, "the list is no JSON: %s", cause.text);
  else if (!check_page(watch, list, &cause)) take_page(watch, list);
  if (cause.code) failed(watch, &cause);
  json_decref(list);
}

static enum status start_list(struct watch *watch, struct buf *path, struct reason *why)
{
  enum status status = buf_addf(path, "%s?limit=%ld", watch->path, watch->page);
  if (!status) status = add_field(path, "labelSelector", watch->selector);
  if (!status && watch->resume.len) status = add_field(path, "continue", watch->resume.data);
  if (status) return reason_set(why, status, "the path of the list is too long");
  struct kube_call call = { .method = "GET", .path = path->data,
    .accept = watch->metadata ? ACCEPT_LIST : ACCEPT_OBJECTS };
  watch->request = kube_start(watch->kube, &call, on_page, watch, why);
  return watch->request ? OK : why->code;
}

/* Watches -------------------------------------------------------------------------------------- */

/* ERROR: its object is a Status. */
static enum status read_error(const json_t *object, struct reason *why)
{
  const char *message = json_text_at(object, "message", NULL);
  json_int_t http = json_integer_value(json_object_get(object, "code"));
  const char *reason = json_text_at(object, "reason", NULL);
  bool gone = http == 410 || !strcmp(reason, "Expired") || !strcmp(reason, "Gone");
  return reason_set(why, gone ? GONE : http == 429 ? THROTTLED : BAD_ANSWER, "%s",
    *message ? message : "the watch sent an error");
}

/* Any event but an error is a sign that all is well. */
static enum status take_event(struct watch *watch, enum frame_type type, json_t *object)
{
  if (type == FRAME_ERROR) return read_error(object, &watch->cause);
  enum status status = read_version(object, watch->version, &watch->cause);
  if (status) {
    watch->listing = true;
    return status;
  }
  watch->tries = watch->relists = 0;
  if (type == FRAME_BOOKMARK) watch->marked = true;
  else tell(watch, type == FRAME_DELETED ? WATCH_GONE : WATCH_CHANGED, object, NULL);
  return OK;
}

static bool on_line(void *data, const char *line, size_t len)
{
  struct watch *watch = data;
  enum frame_type type;
  json_t *object;
  enum status status = frame_read(line, len, &type, &object, &watch->cause);
  if (status) watch->listing = true;
  else status = take_event(watch, type, object);
  json_decref(object);
  return !status && !watch->dead;
}

/* `why` ended the watch, or it was not even begun. */
static void watch_failed(struct watch *watch, const struct reason *why)
{
  if (why->code == NOT_FOUND) {
    absent(watch);
    return;
  }
  if (why->code == GONE) {
    relist(watch);
    back_off(watch);
    return;
  }
  if (watch->listing || why->code == INVALID) relist(watch);
  failed(watch, why);
}

static bool on_bytes(void *data, const char *bytes, size_t len)
{
  struct watch *watch = data;
  watch->heard = true;
  enum status status = frames_feed(&watch->frames, bytes, len, on_line, watch);
  if (watch->dead) return false;
  if (!status) return true;
  if (status != CANCELLED) {
    reason_set(&watch->cause, status, "the watch sent a line that is too long");
    watch->listing = true;
  }
  struct reason cause = watch->cause;
  kube_cancel(watch->request);
  watch->request = NULL;
  watch_failed(watch, &cause);
  return false;
}

/* Ended as it may: by the server, by silence, or by a connection that broke after it had worked. What
 * is wrong then will show at the next request. */
static bool ended_well(const struct watch *watch, const struct reason *why, uint64_t lasted)
{
  if (!why) return true;
  if (why->http_status) return false;
  bool silent = why->code == TIMEOUT && lasted + SETTLED_MS >= watch->idle_ms;
  return silent || (watch->heard && why->code == UNREACHABLE);
}

static void on_end(void *data, const char *body, size_t len, const struct reason *why)
{
  struct watch *watch = data;
  uint64_t lasted = uv_now(watch->loop) - watch->sent_at;
  (void)body, (void)len;
  watch->request = NULL;
  if (!ended_well(watch, why, lasted)) {
    watch_failed(watch, why);
    return;
  }
  if (lasted >= SETTLED_MS) watch->tries = watch->relists = 0;
  back_off(watch);
}

static enum status start_watch(struct watch *watch, struct buf *path, struct reason *why)
{
  unsigned seconds = WATCH_MIN_S + (unsigned)chance(WATCH_MIN_S);
  enum status status = buf_addf(
    path, "%s?watch=true&allowWatchBookmarks=true&timeoutSeconds=%u", watch->path, seconds);
  if (!status) status = add_field(path, "resourceVersion", watch->version);
  if (!status) status = add_field(path, "labelSelector", watch->selector);
  if (status) return reason_set(why, status, "the path of the watch is too long");
  frames_clear(&watch->frames);
  watch->heard = false;
  watch->sent_at = uv_now(watch->loop);
  watch->idle_ms = watch->marked ? SILENCE_MS : seconds * 1000u + GRACE_MS;
  watch->request = kube_stream(watch->kube, path->data,
    watch->metadata ? ACCEPT_WATCH : ACCEPT_OBJECTS, (long)watch->idle_ms, on_bytes, on_end, watch,
    why);
  return watch->request ? OK : why->code;
}

static enum status start(struct watch *watch, struct reason *why)
{
  struct buf path;
  buf_init(&path, PATH_MAX_BYTES);
  enum status status =
    watch->listing ? start_list(watch, &path, why) : start_watch(watch, &path, why);
  buf_close(&path);
  return status;
}

static void try_now(struct watch *watch)
{
  struct reason why = { .code = OK };
  if (start(watch, &why)) failed(watch, &why);
}

/* Life ----------------------------------------------------------------------------------------- */

static void free_memory(struct watch *watch)
{
  frames_close(&watch->frames);
  buf_close(&watch->resume);
  free(watch->path);
  free(watch->selector);
  free(watch);
}

static void on_closed(uv_handle_t *handle)
{
  free_memory(handle->data);
}

struct watch *watch_new(uv_loop_t *loop, struct kube *kube, const struct watch_options *o,
  watch_cb *on_event, void *data)
{
  struct reason why;
  struct watch *watch = calloc(1, sizeof *watch);
  if (!watch) return NULL;
  *watch = (struct watch){ .loop = loop, .kube = kube, .path = strdup(o->path),
    .selector = strdup(o->selector ? o->selector : ""), .metadata = o->metadata,
    .page = o->page > 0 ? o->page : PAGE, .on_event = on_event, .data = data, .listing = true };
  frames_init(&watch->frames);
  buf_init(&watch->resume, PATH_MAX_BYTES / 4);
  if (!watch->path || !watch->selector) {
    free_memory(watch);
    return NULL;
  }
  CHECK(!uv_timer_init(loop, &watch->timer));
  watch->timer.data = watch;
  if (!start(watch, &why)) return watch;
  watch_free(watch);
  return NULL;
}

void watch_free(struct watch *watch)
{
  watch->dead = true;
  if (watch->request) kube_cancel(watch->request);
  watch->request = NULL;
  uv_close((uv_handle_t *)&watch->timer, on_closed);
}
