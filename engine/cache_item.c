#include "cache_item.h"

#include <stdlib.h>
#include <string.h>

static bool is_number(const char *text)
{
  return *text && strspn(text, "0123456789") == strlen(text);
}

bool version_older(const char *a, const char *b)
{
  if (!is_number(a) || !is_number(b)) return false;
  a += strspn(a, "0");
  b += strspn(b, "0");
  size_t x = strlen(a), y = strlen(b);
  return x != y ? x < y : strcmp(a, b) < 0;
}

bool item_key(const char *space, const char *name, char *out, size_t size)
{
  int n = snprintf(out, size, "%s/%s", space, name);
  return n > 0 && (size_t)n < size;
}

static void on_last_look(struct looks *looks)
{
  struct item *item = (struct item *)((char *)looks - offsetof(struct item, looks));
  item_settle(item);
}

struct item *item_of(struct watched *watched, const char *key)
{
  struct item *item = map_get(&watched->items, key);
  if (item) return item;
  item = calloc(1, sizeof *item);
  if (!item) return NULL;
  *item = (struct item){ .watched = watched, .looks.on_last = on_last_look, .mark = watched->mark,
    .version = calloc(1, 1), .before = calloc(1, 1), .uid = calloc(1, 1) };
  if (item->version && item->before && item->uid) item->key = map_put(&watched->items, key, item);
  if (item->key) return item;
  free(item->version);
  free(item->before);
  free(item->uid);
  free(item);
  return NULL;
}

static void set_bytes(struct item *item, char *bytes, size_t len)
{
  struct cache *cache = item->watched->cache;
  cache->bytes += len;
  cache->bytes -= item->len;
  free(item->bytes);
  item->bytes = bytes;
  item->len = len;
}

static void set_present(struct item *item, bool present)
{
  struct watched *watched = item->watched;
  item->known = true;
  if (item->present == present) return;
  item->present = present;
  if (present) watched->cache->objects++;
  else watched->cache->objects--;
  if (!watched->on_object || watched->cache->stopped) return;
  char space[ITEM_KEY_SIZE];
  const char *slash = strchr(item->key, '/');
  snprintf(space, sizeof space, "%.*s", (int)(slash - item->key), item->key);
  watched->on_object(watched->follower, space, slash + 1, present);
}

void item_free(struct item *item)
{
  if (item->present) item->watched->cache->objects--;
  looks_close(&item->looks);
  set_bytes(item, NULL, 0);
  free(item->version);
  free(item->before);
  free(item->uid);
  map_remove(&item->watched->items, item->key);
  free(item);
}

void item_settle(struct item *item)
{
  if (item->watched->cache->stopped || item->looks.head || item->waiters || item->fetch ||
    item->holds)
    return;
  if (item->present && item->watched->keeping) return;
  item_free(item);
}

/* Without the bookkeeping of field owners, with what items of a list lack. */
static char *bytes_of(const struct kind *kind, const json_t *object, size_t *len)
{
  struct buf out;
  char *bytes = NULL;
  json_t *copy = json_copy((json_t *)object); /* shallow, and so is the next */
  json_t *metadata = json_copy(json_object_get(object, "metadata"));
  buf_init(&out, JSON_MAX_BYTES);
  if (!copy || !metadata) goto done;
  json_object_del(metadata, "managedFields");
  if (json_object_set(copy, "metadata", metadata)) goto done;
  if (json_object_set_new(copy, "apiVersion", json_string(kind->api_version))) goto done;
  if (json_object_set_new(copy, "kind", json_string(kind->name))) goto done;
  if (json_write(copy, &out, NULL)) goto done;
  *len = out.len;
  bytes = realloc(out.data, out.len + 1); /* buffers are larger than what is in them */
  if (bytes) out.data = NULL;
done:
  buf_close(&out);
  json_decref(metadata);
  json_decref(copy);
  return bytes;
}

static bool set_text(char **text, const char *value)
{
  if (!strcmp(*text, value)) return true;
  char *copy = strdup(value);
  if (!copy) return false;
  free(*text);
  *text = copy;
  return true;
}

bool item_store(struct item *item, json_t *object, bool whole, const struct looker *except)
{
  const char *version = json_text_at(object, "metadata", "resourceVersion", NULL);
  size_t len = 0;
  char *bytes = NULL;
  bool news = item->known; /* otherwise whoever looks at it is waiting for this */
  item->mark = item->watched->mark;
  if (item->known && version_older(version, item->version)) {
    /* A write of ours went over it before we heard of it. */
    if (version_older(item->before, version)) looks_changed(&item->looks, version, NULL);
    return false;
  }
  bool same = item->known && item->present && version[0] && !strcmp(version, item->version);
  if (same && (item->fresh || !whole)) return true;
  if (whole) bytes = bytes_of(item->watched->kind, object, &len);
  if (whole && bytes) set_bytes(item, bytes, len);
  item->fresh = whole && bytes;
  if (!same && !set_text(&item->before, item->version)) item->before[0] = '\0';
  bool kept = set_text(&item->version, version) &&
    set_text(&item->uid, json_text_at(object, "metadata", "uid", NULL));
  if (!kept) item->fresh = false; /* the next look reads it again */
  if (!same && news) looks_changed(&item->looks, version, except);
  set_present(item, true); /* last: a follower that joins now has not missed anything */
  return true;
}

void item_gone(struct item *item, const char *version, const struct looker *except)
{
  if (item->known && version_older(version, item->version)) return;
  item->holds++;
  item->mark = item->watched->mark;
  if (version[0]) set_text(&item->version, version);
  set_bytes(item, NULL, 0);
  item->fresh = false;
  if (item->present) looks_changed(&item->looks, item->version, except);
  set_present(item, false); /* a follower that leaves now may have been the last to look */
  item->holds--;
  item_settle(item);
}
