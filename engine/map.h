/* map.h - texts to pointers.
 *
 * A key is copied and stays where it is until its removal. Values are never NULL. While walking,
 * the pair just given may be removed; adding or removing others ends the walk's meaning. */
#ifndef ENGINE_MAP_H
#define ENGINE_MAP_H

#include "reason.h"

#include <stddef.h>

struct map_pair;

struct map {
  struct map_pair **rows;
  size_t cap, count;
};

struct map_walk {
  size_t row;
  struct map_pair *next;
  const char *key; /* of the pair just given */
};

/* Frees the keys, not the values. A zeroed map is an empty one. */
void map_close(struct map *map);

void *map_get(const struct map *map, const char *key);

/* Replaces a value of the same key; gives the map's copy of the key, or NULL when there is no
 * memory. */
const char *map_put(struct map *map, const char *key, void *value) must_check;

/* Gives the value that was there, or NULL. */
void *map_remove(struct map *map, const char *key);

/* Start with a zeroed walk; NULL at the end. */
void *map_next(const struct map *map, struct map_walk *walk);

#endif
