#include "cache_item.h"

#include <stdlib.h>
#include <string.h>

#define KEEP_ALL_S 60     /* of the engine's time, after the first list */
#define FAILURE_GAP_S 120 /* real time; a watch that fails says so more often */

static double real_now(const struct cache *cache)
{
  return (double)uv_now(cache->options.loop) / 1000;
}

bool cache_covers(const struct watched *watched, const char *space)
{
  const char *only = watched->cache->space;
  return !watched->kind->namespaced || !only[0] || !strcmp(only, space);
}

/* What the watch says ------------------------------------------------------------------------- */

static void complain(struct watched *watched, const char *what)
{
  if (watched->complained) return;
  watched->complained = true;
  log_f(watched->cache->options.log, LOG_WARN, "an object on the watch of %s was ignored: %s",
    watched->kind->name, what);
}

/* The key of an object on the watch, or false when it makes no sense. */
static bool key_of(struct watched *watched, const json_t *object, char *key, size_t size)
{
  const char *space = json_text_at(object, "metadata", "namespace", NULL);
  const char *name = json_text_at(object, "metadata", "name", NULL);
  const char *kind = json_text_at(object, "kind", NULL);
  bool fits = name[0] && !strchr(name, '/') && !strchr(space, '/') &&
    (space[0] != 0) == watched->kind->namespaced;
  if (!fits || !item_key(space, name, key, size) || !cache_covers(watched, space)) {
    complain(watched, "it has no usable name");
    return false;
  }
  if (kind[0] && !watched->kind->metadata && strcmp(kind, watched->kind->name)) {
    complain(watched, "it is of another kind");
    return false;
  }
  return true;
}

static void on_changed(struct watched *watched, json_t *object)
{
  char key[ITEM_KEY_SIZE];
  if (!key_of(watched, object, key, sizeof key)) return;
  struct item *item = watched->keeping ? item_of(watched, key) : map_get(&watched->items, key);
  if (item) item_store(item, object, !watched->kind->metadata, NULL);
}

static void on_gone(struct watched *watched, json_t *object)
{
  char key[ITEM_KEY_SIZE];
  if (!key_of(watched, object, key, sizeof key)) return;
  struct item *item = map_get(&watched->items, key);
  if (item) item_gone(item, json_text_at(object, "metadata", "resourceVersion", NULL), NULL);
}

/* What the list that ends now did not name is gone. */
static void sweep(struct watched *watched, bool all)
{
  struct map_walk walk = { 0 };
  struct item *item;
  while ((item = map_next(&watched->items, &walk))) {
    if (item->present && (all || item->mark != watched->mark)) item_gone(item, "", NULL);
  }
}

static void tell_all(struct watched *watched)
{
  struct map_walk walk = { 0 };
  struct item *item;
  while ((item = map_next(&watched->items, &walk)))
    looks_changed(&item->looks, item->version, NULL);
}

static void on_synced(struct watched *watched)
{
  bool appeared = watched->state == WATCHED_ABSENT;
  sweep(watched, false);
  if (watched->state != WATCHED_SYNCED)
    watched->listed_at = clock_monotonic(watched->cache->options.clock);
  watched->state = WATCHED_SYNCED;
  watched->listed = true;
  if (appeared) tell_all(watched); /* "not installed" is not true any more */
  cache_make_ready(watched->cache, &watched->waiters, NULL);
}

static void on_absent(struct watched *watched)
{
  watched->state = WATCHED_ABSENT;
  watched->keeping = true;
  sweep(watched, true);
  cache_make_ready(watched->cache, &watched->waiters, NULL);
}

static void on_failed(struct watched *watched, const struct reason *why)
{
  double now = real_now(watched->cache) + 1; /* never 0 */
  if (!watched->failing_since || now - watched->failed_at > FAILURE_GAP_S)
    watched->failing_since = now;
  watched->failed_at = now;
  if (watched->failure.code != why->code)
    log_f(watched->cache->options.log, LOG_WARN, "the watch of %s failed: %s", watched->kind->name,
      why->text);
  watched->failure = *why;
  /* Rights do not come by waiting; whoever waits for the list is told. */
  if (why->code == FORBIDDEN && !watched->listed)
    cache_make_ready(watched->cache, &watched->waiters, why);
}

static void on_event(void *data, enum watch_event event, json_t *object, const struct reason *why)
{
  struct watched *watched = data;
  if (watched->cache->stopped) return;
  if (event != WATCH_FAILED) {
    watched->failing_since = 0;
    watched->failure.code = OK;
  }
  switch (event) {
  case WATCH_RESET: watched->mark++; return;
  case WATCH_CHANGED: on_changed(watched, object); return;
  case WATCH_GONE: on_gone(watched, object); return;
  case WATCH_SYNCED: on_synced(watched); return;
  case WATCH_ABSENT: on_absent(watched); return;
  case WATCH_FAILED: on_failed(watched, why); return;
  }
}

/* Kinds --------------------------------------------------------------------------------------- */

static enum status start_watch(struct watched *watched, struct reason *why)
{
  struct cache *cache = watched->cache;
  const struct cache_options *o = &cache->options;
  struct buf path;
  buf_init(&path, 4096);
  enum status status = kind_path(watched->kind, cache->space, NULL, NULL, &path, why);
  if (!status) {
    struct watch_options options = { .path = path.data, .metadata = watched->kind->metadata };
    watched->watch = watch_new(o->loop, watched->kind->route ? o->routes : o->kube, &options, on_event, watched);
    if (!watched->watch)
      status = reason_set(why, NO_MEMORY, "cannot watch %s", watched->kind->name);
  }
  buf_close(&path);
  return status;
}

static void free_watched(struct watched *watched)
{
  struct map_walk walk = { 0 };
  struct item *item;
  if (watched->watch) watch_free(watched->watch);
  while ((item = map_next(&watched->items, &walk))) item_free(item);
  map_close(&watched->items);
  free(watched);
}

struct watched *cache_watched(struct cache *cache, const struct kind *kind, struct reason *why)
{
  char key[ITEM_KEY_SIZE];
  snprintf(key, sizeof key, "%s/%s", kind->api_version, kind->name);
  struct watched *watched = map_get(&cache->kinds, key);
  if (watched) return watched;
  watched = calloc(1, sizeof *watched);
  if (!watched) {
    reason_set(why, NO_MEMORY, "no memory to watch %s", kind->name);
    return NULL;
  }
  *watched =
    (struct watched){ .cache = cache, .kind = kind, .always = kind->always, .keeping = true };
  if (start_watch(watched, why)) goto failed;
  if (map_put(&cache->kinds, key, watched)) return watched;
  reason_set(why, NO_MEMORY, "no memory to watch %s", kind->name);
failed:
  free_watched(watched);
  return NULL;
}

enum status cache_always(struct cache *cache, struct reason *why)
{
  struct map_walk walk = { 0 };
  const struct kind *kind;
  while ((kind = map_next(&cache->options.kinds->map, &walk))) {
    struct watched *watched = kind->always ? cache_watched(cache, kind, why) : NULL;
    if (kind->always && !watched) return why->code;
    if (watched) watched->always = true;
  }
  return OK;
}

enum status cache_follow(struct cache *cache, const struct kind *kind, cache_follow_cb *on_object,
  void *data, struct reason *why)
{
  struct watched *watched = cache_watched(cache, kind, why);
  if (!watched) return why->code;
  watched->always = true;
  watched->on_object = on_object;
  watched->follower = data;
  return OK;
}

/* The first minute of a kind is over: what nobody looks at goes. */
static void stop_keeping(struct watched *watched)
{
  struct map_walk walk = { 0 };
  struct item *item;
  watched->keeping = false;
  while ((item = map_next(&watched->items, &walk))) item_settle(item);
}

/* A wait for a list has an end. */
static void expire(struct watched *watched)
{
  double now = real_now(watched->cache);
  for (struct cache_wait *wait = watched->waiters, *next; wait; wait = next) {
    next = wait->next;
    if (wait->deadline > now) continue;
    bool failing = watched->failing_since != 0;
    reason_set(&wait->why, TIMEOUT, "kind %s could not be listed in time%s%s", watched->kind->name,
      failing ? ": " : "", failing ? watched->failure.text : "");
    struct cache_wait *one = NULL;
    cache_wait_move(wait, &one);
    cache_make_ready(watched->cache, &one, &wait->why);
  }
}

static void on_second(uv_timer_t *timer)
{
  struct cache *cache = timer->data;
  struct map_walk walk = { 0 };
  struct watched *watched;
  double now = clock_monotonic(cache->options.clock);
  while ((watched = map_next(&cache->kinds, &walk))) {
    expire(watched);
    bool old = watched->state == WATCHED_SYNCED && now - watched->listed_at > KEEP_ALL_S;
    if (watched->keeping && !watched->always && old) stop_keeping(watched);
  }
}

/* Life ---------------------------------------------------------------------------------------- */

struct cache *cache_new(const struct cache_options *options, struct reason *why)
{
  struct cache *cache = calloc(1, sizeof *cache);
  char *space = strdup(options->space ? options->space : "");
  if (!cache || !space) {
    free(cache);
    free(space);
    reason_set(why, NO_MEMORY, "no memory for the cache");
    return NULL;
  }
  cache->options = *options;
  cache->options.space = cache->space = space;
  CHECK(!uv_timer_init(options->loop, &cache->turn));
  CHECK(!uv_timer_init(options->loop, &cache->second));
  cache->turn.data = cache->second.data = cache;
  CHECK(!uv_timer_start(&cache->second, on_second, 1000, 1000));
  if (!cache_always(cache, why)) return cache;
  cache_stop(cache);
  cache_free(cache);
  return NULL;
}

void cache_stop(struct cache *cache)
{
  struct map_walk walk = { 0 };
  struct watched *watched;
  cache->stopped = true;
  uv_timer_stop(&cache->turn);
  uv_timer_stop(&cache->second);
  while ((watched = map_next(&cache->kinds, &walk))) {
    struct map_walk inner = { 0 };
    struct item *item;
    while ((item = map_next(&watched->items, &inner))) {
      if (item->fetch) kube_cancel(item->fetch);
      item->fetch = NULL;
    }
  }
}

static void on_closed(uv_handle_t *handle)
{
  struct cache *cache = handle->data;
  if (++cache->closing < 2) return;
  free(cache->space);
  free(cache);
}

void cache_free(struct cache *cache)
{
  struct map_walk walk = { 0 };
  struct watched *watched;
  CHECK(cache->stopped);
  while ((watched = map_next(&cache->kinds, &walk))) free_watched(watched);
  map_close(&cache->kinds);
  uv_close((uv_handle_t *)&cache->turn, on_closed);
  uv_close((uv_handle_t *)&cache->second, on_closed);
}
