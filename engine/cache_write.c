/* What our own writes do to the cache, and what it says about itself. */
#include "cache_item.h"

#include <string.h>

static struct watched *watched_of(const struct cache *cache, const struct kind *kind)
{
  char key[ITEM_KEY_SIZE];
  snprintf(key, sizeof key, "%s/%s", kind->api_version, kind->name);
  return map_get(&cache->kinds, key);
}

/* The entry of an object; made if the object will be kept (`make`); NULL when the cache does not
 * care. */
static struct item *entry(const struct cache *cache, const struct cache_ref *ref, bool make)
{
  char key[ITEM_KEY_SIZE];
  struct watched *watched = watched_of(cache, ref->kind);
  if (!watched || cache->stopped || !cache_covers(watched, ref->space)) return NULL;
  if (!item_key(ref->space, ref->name, key, sizeof key)) return NULL;
  return make ? item_of(watched, key) : map_get(&watched->items, key);
}

void cache_writing(struct cache *cache, const struct cache_ref *ref, struct looker *looker)
{
  struct item *item = looker ? entry(cache, ref, true) : NULL;
  if (!item) return;
  if (look_at(&item->looks, looker, false)) look_writing(&item->looks, looker);
  item_settle(item);
}

void cache_written(
  struct cache *cache, const struct cache_ref *ref, struct looker *looker, json_t *object)
{
  const struct watched *watched = watched_of(cache, ref->kind);
  struct item *item = watched ? entry(cache, ref, object && (looker || watched->keeping)) : NULL;
  if (!item) return;
  item->holds++;
  if (object) item_store(item, object, true, looker);
  if (looker && object) look_at(&item->looks, looker, false);
  if (looker) {
    const char *version = json_text_at(object, "metadata", "resourceVersion", NULL);
    look_written(&item->looks, looker, object ? version : NULL);
  }
  item->holds--;
  item_settle(item);
}

void cache_deleted(struct cache *cache, const struct cache_ref *ref, struct looker *looker)
{
  struct item *item = entry(cache, ref, false);
  if (!item) return;
  item->holds++;
  if (looker) look_written(&item->looks, looker, "");
  if (item->known) item_gone(item, "", looker);
  item->holds--;
  item_settle(item);
}

void cache_keep(struct cache *cache, const struct cache_ref *ref, struct looker *looker)
{
  struct item *item = entry(cache, ref, true);
  if (item) look_at(&item->looks, looker, true);
}

const char *cache_uid(const struct cache *cache, const struct cache_ref *ref, const char *version)
{
  const struct item *item = entry(cache, ref, false);
  return item && item->present && !strcmp(item->version, version) ? item->uid : "";
}

enum status cache_check(
  const struct cache_ref *ref, const json_t *object, const char *uid, struct reason *why)
{
  const char *api_version = json_text_at(object, "apiVersion", NULL),
             *kind = json_text_at(object, "kind", NULL);
  const char *space = json_text_at(object, "metadata", "namespace", NULL);
  const char *name = json_text_at(object, "metadata", "name", NULL);
  const char *its_uid = json_text_at(object, "metadata", "uid", NULL), *what = NULL;
  if (!name[0]) what = "an object without a name";
  else if (kind[0] && strcmp(kind, ref->kind->name)) what = "another kind";
  else if (api_version[0] && strcmp(api_version, ref->kind->api_version))
    what = "another apiVersion";
  else if (ref->kind->namespaced && strcmp(space, ref->space)) what = "another namespace";
  else if (ref->name && strcmp(name, ref->name)) what = "another name";
  else if (uid[0] && strcmp(its_uid, uid)) what = "another uid";
  if (!what) return OK;
  return reason_set(why, BAD_ANSWER, "asked about %s %s, the server answered about %s",
    ref->kind->name, ref->name ? ref->name : "", what);
}

bool cache_next(const struct cache *cache, const struct kind *kind, const char *space,
  struct map_walk *walk, struct cache_object *object)
{
  const struct watched *watched = watched_of(cache, kind);
  const struct item *item;
  size_t len = strlen(space);
  while (watched && (item = map_next(&watched->items, walk))) {
    bool wanted = !len || (!strncmp(item->key, space, len) && item->key[len] == '/');
    if (!wanted || !item->present || !item->bytes) continue;
    *object = (struct cache_object){ item->bytes, item->len };
    return true;
  }
  return false;
}

bool cache_listed(const struct cache *cache, const struct kind *kind)
{
  const struct watched *watched = watched_of(cache, kind);
  return watched && watched->listed;
}

struct cache_state cache_state(const struct cache *cache)
{
  struct cache_state state = { cache->objects, cache->bytes, cache->kinds.count, true };
  struct map_walk walk = { 0 };
  const struct watched *watched;
  while ((watched = map_next(&cache->kinds, &walk))) {
    if (watched->always && (!watched->listed || watched->state != WATCHED_SYNCED))
      state.synced = false;
  }
  return state;
}

enum status cache_complaints(
  const struct cache *cache, double patience, bool ready, struct buf *out)
{
  struct map_walk walk = { 0 };
  const struct watched *watched;
  double now = (double)uv_now(cache->options.loop) / 1000 + 1;
  enum status status = OK;
  while (!status && (watched = map_next(&cache->kinds, &walk))) {
    const char *name = watched->kind->name;
    bool failing = watched->failing_since && now - watched->failed_at < patience * 2;
    if (watched->state == WATCHED_ABSENT) {
      if (watched->always && ready) status = buf_addf(out, "%s: not installed\n", name);
    } else if (watched->always && !watched->listed)
      status = buf_addf(out, "%s: not listed yet%s%s\n", name, failing ? ": " : "",
        failing ? watched->failure.text : "");
    else if (failing && now - watched->failing_since > patience)
      status = buf_addf(out, "%s: the watch fails: %s\n", name, watched->failure.text);
  }
  return status;
}

bool cache_next_kind(
  const struct cache *cache, struct map_walk *walk, struct cache_kind_state *state)
{
  static const char *const names[] = { "syncing", "synced", "absent" };
  const struct watched *watched = map_next(&cache->kinds, walk);
  if (!watched) return false;
  *state = (struct cache_kind_state){ watched->kind, names[watched->state], watched->items.count };
  return true;
}
