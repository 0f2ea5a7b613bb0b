/* cache_item.h - the inside of cache.h: kinds being watched and their entries. */
#ifndef ENGINE_CACHE_ITEM_H
#define ENGINE_CACHE_ITEM_H

#include "cache.h"
#include "watch.h"

enum watched_state { WATCHED_SYNCING, WATCHED_SYNCED, WATCHED_ABSENT };

struct watched {
  struct cache *cache;
  const struct kind *kind;
  struct watch *watch;
  struct map items;            /* "namespace/name" -> struct item */
  enum watched_state state;
  bool always;
  bool keeping;                /* every object is kept, so what is not here is not there */
  bool listed;                 /* at least once */
  bool complained;             /* about an object that makes no sense */
  unsigned mark;               /* of the list under way */
  double listed_at;            /* engine's time */
  double failing_since, failed_at; /* real time, 0: not failing */
  struct reason failure;
  struct cache_wait *waiters;  /* for the list */
  cache_follow_cb *on_object;
  void *follower;
};

struct item {
  struct watched *watched;
  const char *key;             /* the map's */
  struct looks looks;
  char *version, *uid;         /* of the newest that was seen, also of a deleted one; never NULL */
  char *before;                /* the version that was known before it */
  char *bytes;
  size_t len;
  bool known;                  /* `present` is true knowledge */
  bool present;
  bool fresh;                  /* bytes are those of `version` */
  unsigned mark, holds;        /* holds: answers on their way that stand on this entry */
  struct kube_request *fetch;
  struct cache_wait *waiters;  /* for the fetch */
};

struct cache {
  struct cache_options options;
  char *space;
  struct map kinds;            /* "apiVersion/Kind" -> struct watched */
  struct cache_wait *ready;    /* to be answered in the next turn */
  uv_timer_t turn, second;
  unsigned closing;
  size_t bytes, objects;
  bool stopped;
};

/* True when `a` and `b` are numbers and `a` is the smaller. */
bool version_older(const char *a, const char *b);

/* Finds or makes; NULL: no memory. */
struct item *item_of(struct watched *watched, const char *key);
void item_free(struct item *item);

/* Frees it when nothing needs it. */
void item_settle(struct item *item);

/* Takes over a version; tells everybody but `except`. False when it is older than what is known. */
bool item_store(struct item *item, json_t *object, bool whole, const struct looker *except);

/* It is not there (any more); `version` of the deletion, "" when unknown. May free the item. */
void item_gone(struct item *item, const char *version, const struct looker *except);

/* "namespace/name"; false when that is too long. */
bool item_key(const char *space, const char *name, char *out, size_t size);
#define ITEM_KEY_SIZE 512

/* Lists of waiters (cache_get.c). */
void cache_wait_move(struct cache_wait *wait, struct cache_wait **list);
void cache_make_ready(struct cache *cache, struct cache_wait **list, const struct reason *why);

/* Starts the watch at the first call (cache.c). */
struct watched *cache_watched(struct cache *cache, const struct kind *kind, struct reason *why);
bool cache_covers(const struct watched *watched, const char *space);

/* Turn of the loop (cache_get.c). */
void cache_on_turn(uv_timer_t *timer);

#endif
