/* cache.h - the newest known bytes of the cluster's objects, fed by one watch per kind in use.
 *
 *   a kind:   (unused) --first look--> SYNCING --listed--> SYNCED <--404 / listed--> ABSENT
 *   an entry: exists while somebody looks at it, while its kind is `always`, or during the kind's
 *             first minute, so that a start needs no single reads
 *
 * An entry may say "not there": looking at it costs nothing and its appearance is a change. An
 * older version never replaces a newer one. The answer of a write of ours is a version like any
 * other, so its echo on the watch is no news. Answers wait for a turn of the loop: nothing here
 * calls back from inside a call. */
#ifndef ENGINE_CACHE_H
#define ENGINE_CACHE_H

#include "clock.h"
#include "deps.h"
#include "kinds.h"
#include "kube.h"
#include "log.h"

struct cache;
struct item;
struct watched;

struct cache_options {
  uv_loop_t *loop;
  struct clock *clock;
  struct kube *kube, *routes; /* of the objects, and of kinds that are routes */
  struct kinds *kinds;
  const struct log *log;
  const char *space;        /* the only namespace to watch; "" for all */
};

struct cache_ref {
  const struct kind *kind;
  const char *space, *name; /* space "" for what has no namespace */
};

struct cache_object {
  const char *bytes;        /* JSON; borrowed until the loop's next turn */
  size_t len;
};

enum cache_outcome { CACHE_HIT, CACHE_MISS, CACHE_PENDING };

struct cache_wait;

/* CACHE_HIT with `object`, or CACHE_MISS with `why`. */
typedef void cache_cb(void *data, enum cache_outcome outcome, const struct cache_object *object,
  const struct reason *why);

/* Embedded by whoever waits; `on_ready` and `data` are theirs, the rest is the cache's. */
struct cache_wait {
  cache_cb *on_ready;
  void *data;
  struct watched *watched;
  struct item *item;
  struct looker *looker;
  char *key;
  double deadline;
  unsigned reads;
  struct reason why;
  struct cache_wait *next, **link;
};

/* Watches every `always` kind. NULL with `why`. */
struct cache *cache_new(const struct cache_options *options, struct reason *why);

/* Nothing is called any more. Whoever waits cancels first. */
void cache_stop(struct cache *cache);
void cache_free(struct cache *cache); /* stopped before; not from inside a callback */

/* Watches what was declared `always` since. */
enum status must_check cache_always(struct cache *cache, struct reason *why);

/* Calls `on_object` when an object of this kind appears or goes; its kind is as if `always`. */
typedef void cache_follow_cb(void *data, const char *space, const char *name, bool present);
enum status must_check cache_follow(struct cache *cache, const struct kind *kind,
  cache_follow_cb *on_object, void *data, struct reason *why);

/* Every object of the kind was told of. */
bool cache_listed(const struct cache *cache, const struct kind *kind);

/* The object; with `looker` (may be NULL) a look at it. Without a name: only that the kind is
 * listed, then CACHE_HIT comes without bytes. Pending: `wait` is in use until on_ready or
 * cache_cancel. */
enum cache_outcome cache_get(struct cache *cache, const struct cache_ref *ref,
  struct looker *looker, struct cache_wait *wait, struct cache_object *object, struct reason *why);
void cache_cancel(struct cache_wait *wait);

/* A look at the looker's own object that lasts until looker_release. */
void cache_keep(struct cache *cache, const struct cache_ref *ref, struct looker *looker);

/* The next object of a listed kind, in `space` if it is not "". Start with a zeroed walk. */
bool cache_next(const struct cache *cache, const struct kind *kind, const char *space,
  struct map_walk *walk, struct cache_object *object);

/* Around every write; `object` is the checked answer, NULL when the write failed or gave none. */
void cache_writing(struct cache *cache, const struct cache_ref *ref, struct looker *looker);
void cache_written(
  struct cache *cache, const struct cache_ref *ref, struct looker *looker, json_t *object);

/* After a delete that took effect at once. */
void cache_deleted(struct cache *cache, const struct cache_ref *ref, struct looker *looker);

/* The uid that the cache has for an object at this version, or "". */
const char *cache_uid(const struct cache *cache, const struct cache_ref *ref, const char *version);

/* BAD_ANSWER unless `object` is the one that was asked for; `uid` "" for any. */
enum status must_check cache_check(
  const struct cache_ref *ref, const json_t *object, const char *uid, struct reason *why);

struct cache_state {
  size_t objects, bytes, kinds;
  bool synced;              /* every `always` kind was listed, and is installed */
};
struct cache_state cache_state(const struct cache *cache);

/* Appends one line per thing that is wrong; nothing when all is well: an `always` kind that is not
 * listed yet, a watch that fails for longer than `patience` seconds; with `ready` also an `always`
 * kind that is not installed, which a restart would not mend. */
enum status must_check cache_complaints(
  const struct cache *cache, double patience, bool ready, struct buf *out);

struct cache_kind_state {
  const struct kind *kind;
  const char *state;        /* "syncing", "synced", "absent" */
  size_t objects;
};
bool cache_next_kind(
  const struct cache *cache, struct map_walk *walk, struct cache_kind_state *state);

#endif
