/* Looking things up, and waiting for what is not known yet. */
#include "cache_item.h"

#include <stdlib.h>
#include <string.h>

#define PATIENCE_S 30 /* real time: the longest wait for a list */
#define READS_MAX 3   /* of one entry that the watch knows and a read does not find */

void cache_wait_move(struct cache_wait *wait, struct cache_wait **list)
{
  if (wait->link) {
    *wait->link = wait->next;
    if (wait->next) wait->next->link = wait->link;
  }
  wait->next = list ? *list : NULL;
  wait->link = list;
  if (!list) return;
  if (wait->next) wait->next->link = &wait->next;
  *list = wait;
}

void cache_make_ready(struct cache *cache, struct cache_wait **list, const struct reason *why)
{
  while (*list) {
    struct cache_wait *wait = *list;
    cache_wait_move(wait, &cache->ready);
    if (why && why != &wait->why) wait->why = *why;
  }
  if (cache->ready) CHECK(!uv_timer_start(&cache->turn, cache_on_turn, 0, 0));
}

/* Takes the wait out of the cache's hands. */
static void finish(struct cache_wait *wait)
{
  struct item *item = wait->item;
  cache_wait_move(wait, NULL);
  free(wait->key);
  wait->key = NULL;
  wait->item = NULL;
  wait->watched = NULL;
  if (!item) return;
  item->holds--;
  item_settle(item);
}

void cache_cancel(struct cache_wait *wait)
{
  if (wait->watched) finish(wait);
}

/* The one read of an entry --------------------------------------------------------------------- */

static void on_fetched(void *data, const char *body, size_t len, const struct reason *why)
{
  struct item *item = data;
  struct cache *cache = item->watched->cache;
  struct reason problem = { .code = OK };
  char space[ITEM_KEY_SIZE];
  json_t *object = NULL;
  const char *slash = strchr(item->key, '/');
  snprintf(space, sizeof space, "%.*s", (int)(slash - item->key), item->key);
  struct cache_ref ref = { item->watched->kind, space, slash + 1 };
  item->fetch = NULL;
  item->holds++;
  if (why) problem = *why;
  else if (!(object = json_read(body, len, &problem))) problem.code = BAD_ANSWER;
  else if (!cache_check(&ref, object, "", &problem))
    item_store(item, object, true, item->waiters ? item->waiters->looker : NULL);
  bool absent = problem.code == NOT_FOUND;
  if (absent && !item->known) item->known = true;
  json_decref(object);
  cache_make_ready(cache, &item->waiters, problem.code && !absent ? &problem : NULL);
  item->holds--;
  item_settle(item);
}

static enum status fetch(struct item *item, const struct cache_ref *ref, struct reason *why)
{
  struct buf path;
  if (item->fetch) return OK;
  buf_init(&path, 4096);
  enum status status = kind_path(ref->kind, ref->space, ref->name, NULL, &path, why);
  if (!status) {
    struct kube_call call = { .method = "GET", .path = path.data };
    const struct cache_options *o = &item->watched->cache->options;
    item->fetch = kube_start(ref->kind->route ? o->routes : o->kube, &call, on_fetched, item, why);
    if (!item->fetch) status = why->code ? why->code : BAD_ANSWER;
  }
  buf_close(&path);
  return status;
}

/* Looking -------------------------------------------------------------------------------------- */

static enum cache_outcome not_found(const struct cache_ref *ref, struct reason *why)
{
  reason_set(why, NOT_FOUND, "%s %s%s%s not found", ref->kind->name, ref->name,
    ref->space[0] ? "." : "", ref->space);
  return CACHE_MISS;
}

static enum cache_outcome give(const struct item *item, const struct cache_ref *ref,
  struct cache_object *object, struct reason *why)
{
  if (!item->present || !item->bytes) return not_found(ref, why);
  *object = (struct cache_object){ item->bytes, item->len };
  return CACHE_HIT;
}

static enum cache_outcome no_memory(struct reason *why)
{
  reason_set(why, NO_MEMORY, "no memory for the cache");
  return CACHE_MISS;
}

/* The kind is listed, or not installed. */
static enum cache_outcome look(struct watched *watched, const struct cache_ref *ref,
  const char *key, struct cache_wait *wait, struct cache_object *object, struct reason *why)
{
  bool covered = cache_covers(watched, ref->space);
  bool looks = wait->looker && covered;
  struct item *item = looks ? item_of(watched, key) : map_get(&watched->items, key);
  if (looks && (!item || !look_at(&item->looks, wait->looker, false))) return no_memory(why);
  if (watched->state == WATCHED_ABSENT) {
    reason_set(why, NOT_FOUND, "kind %s is not installed", ref->kind->name);
    return CACHE_MISS;
  }
  bool known = item && item->known && covered && (!item->present || item->fresh);
  if (known) return give(item, ref, object, why);
  if (covered && watched->keeping && !(item && item->present)) { /* listed, and not there */
    if (item) item->known = true;
    return not_found(ref, why);
  }
  item = item ? item : item_of(watched, key);
  if (!item) return no_memory(why);
  if (fetch(item, ref, why)) {
    item_settle(item);
    return CACHE_MISS;
  }
  wait->item = item;
  item->holds++;
  cache_wait_move(wait, &item->waiters);
  return CACHE_PENDING;
}

enum cache_outcome cache_get(struct cache *cache, const struct cache_ref *ref,
  struct looker *looker, struct cache_wait *wait, struct cache_object *object, struct reason *why)
{
  char key[ITEM_KEY_SIZE] = "";
  struct watched *watched = cache_watched(cache, ref->kind, why);
  *object = (struct cache_object){ NULL, 0 };
  if (!watched) return CACHE_MISS;
  if (ref->name && !item_key(ref->space, ref->name, key, sizeof key)) return not_found(ref, why);
  *wait = (struct cache_wait){ .on_ready = wait->on_ready,
    .data = wait->data,
    .watched = watched,
    .looker = looker,
    .deadline = (double)uv_now(cache->options.loop) / 1000 + PATIENCE_S };
  if (watched->state == WATCHED_SYNCING && watched->failure.code == FORBIDDEN) {
    *why = watched->failure;
    return CACHE_MISS;
  }
  if (ref->name && !(wait->key = strdup(key))) return no_memory(why);
  enum cache_outcome outcome = CACHE_PENDING;
  if (watched->state == WATCHED_SYNCING) cache_wait_move(wait, &watched->waiters);
  else if (ref->name) outcome = look(watched, ref, key, wait, object, why);
  else if (watched->state == WATCHED_SYNCED) outcome = CACHE_HIT;
  else {
    reason_set(why, NOT_FOUND, "kind %s is not installed", ref->kind->name);
    outcome = CACHE_MISS;
  }
  if (outcome != CACHE_PENDING) finish(wait);
  return outcome;
}

/* The reference that a wait was made for; its texts go into `key`. */
static struct cache_ref ref_of(const struct cache_wait *wait, char *key, size_t size)
{
  struct cache_ref ref = { wait->watched->kind, "", NULL };
  snprintf(key, size, "%s", wait->key ? wait->key : "");
  char *slash = strchr(key, '/');
  if (!slash) return ref;
  *slash = '\0';
  ref.space = key;
  ref.name = slash + 1;
  return ref;
}

/* What is known now for a wait that was made ready; it may have to wait once more. */
static enum cache_outcome outcome_of(
  struct cache_wait *wait, struct cache_object *object, struct reason *why)
{
  char text[ITEM_KEY_SIZE];
  struct watched *watched = wait->watched;
  struct cache_ref ref = ref_of(wait, text, sizeof text);
  struct item *item = wait->item;
  if (why->code) return CACHE_MISS;
  if (item && item->present && !item->bytes && ++wait->reads < READS_MAX) {
    wait->item = NULL; /* it came or went while it was read */
    item->holds--;
    item = NULL;
  }
  if (item) return give(item, &ref, object, why);
  if (ref.name) return look(watched, &ref, wait->key, wait, object, why);
  if (watched->state == WATCHED_SYNCED) return CACHE_HIT;
  reason_set(why, NOT_FOUND, "kind %s is not installed", watched->kind->name);
  return CACHE_MISS;
}

static void answer(struct cache_wait *wait)
{
  struct reason why = wait->why;
  struct cache_object object = { NULL, 0 };
  cache_wait_move(wait, NULL);
  enum cache_outcome outcome = outcome_of(wait, &object, &why);
  if (outcome == CACHE_PENDING) return;
  cache_cb *on_ready = wait->on_ready;
  void *data = wait->data;
  struct item *item = wait->item;
  if (item) item->holds++; /* the bytes stay while they are read */
  finish(wait);
  on_ready(data, outcome, &object, outcome == CACHE_MISS ? &why : NULL);
  if (!item) return;
  item->holds--;
  item_settle(item);
}

void cache_on_turn(uv_timer_t *timer)
{
  struct cache *cache = timer->data;
  while (cache->ready && !cache->stopped) answer(cache->ready);
}
