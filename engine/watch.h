/* watch.h - one collection, followed for ever.
 *
 *   LISTING --last page--> WATCHING --ended--> WATCHING (from the last resourceVersion)
 *      ^                      |
 *      +-- back-off ---- 410 Gone, or an answer that makes no sense
 *
 * Lists in pages, watches with bookmarks, resumes where it was, backs off with jitter
 * (100 ms doubling to 30 s, reset by the first good answer). */
#ifndef ENGINE_WATCH_H
#define ENGINE_WATCH_H

#include "kube.h"

struct watch;

struct watch_options {
  const char *path;         /* the collection, e.g. "/apis/apps/v1/deployments" */
  const char *selector;     /* a label selector, or NULL */
  bool metadata;            /* ask for PartialObjectMetadata only */
  long page;                /* objects per page; default 500 */
};

enum watch_event {
  WATCH_RESET,              /* a list begins: what it does not name is gone (object NULL) */
  WATCH_CHANGED,            /* `object` is new, or newer, or the same again */
  WATCH_GONE,               /* `object` was deleted */
  WATCH_SYNCED,             /* the list is complete (object NULL) */
  WATCH_FAILED,             /* the last request failed; `why` says how; it will be tried again */
  WATCH_ABSENT,             /* 404 on the collection: its kind is not installed; tried again every 30 s */
};

/* `object` is borrowed and valid during the call only (json_incref it to keep it). Items of a list
 * carry no apiVersion and kind; the caller knows them. */
typedef void watch_cb(void *data, enum watch_event event, json_t *object, const struct reason *why);

struct watch *watch_new(uv_loop_t *loop, struct kube *kube, const struct watch_options *options,
  watch_cb *on_event, void *data);

/* No event fires afterwards. */
void watch_free(struct watch *watch);

#endif
