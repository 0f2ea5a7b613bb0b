/* kinds.h - the kinds of the cluster, and where their objects are. */
#ifndef ENGINE_KINDS_H
#define ENGINE_KINDS_H

#include "buf.h"
#include "map.h"

#include <stdbool.h>

#define KINDS_MAX 512

struct kind {
  char *api_version, *name, *plural;
  bool namespaced;
  bool metadata;  /* watched as metadata only */
  bool always;    /* watched from the start, every object kept */
  bool route;     /* of the cluster of the routes, where that is another one */
};

/* Zeroed: none. A kind stays where it is until kinds_close. */
struct kinds {
  struct map map; /* "apiVersion/Kind" -> struct kind */
};

void kinds_close(struct kinds *kinds);

/* Texts are copied; a kind that is known already is changed. */
enum status must_check kinds_declare(
  struct kinds *kinds, const struct kind *kind, struct reason *why);

/* An unknown kind becomes a namespaced one with a guessed plural. NULL with `why` when it cannot
 * be. */
const struct kind *kinds_find(
  struct kinds *kinds, const char *api_version, const char *name, struct reason *why);

/* Appends the path of an object (or of its subresource), or of a collection when `name` is NULL.
 * `space` "" means all namespaces. INVALID when a part cannot be a name in a URL. */
enum status must_check kind_path(const struct kind *kind, const char *space, const char *name,
  const char *subresource, struct buf *out, struct reason *why);

#endif
