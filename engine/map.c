#include "map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 16 /* rows; always a power of two */

struct map_pair {
  struct map_pair *next;
  void *value;
  uint32_t hash;
  char key[];
};

/* FNV-1a */
static uint32_t hash_of(const char *key)
{
  uint32_t hash = 2166136261u;
  for (; *key; key++) hash = (hash ^ (unsigned char)*key) * 16777619u;
  return hash;
}

void map_close(struct map *map)
{
  for (size_t i = 0; i < map->cap; i++) {
    for (struct map_pair *pair = map->rows[i], *next; pair; pair = next) {
      next = pair->next;
      free(pair);
    }
  }
  free(map->rows);
  *map = (struct map){ 0 };
}

/* Where the pair of that key is linked from, or the end of its row. */
static struct map_pair **link_of(const struct map *map, const char *key, uint32_t hash)
{
  struct map_pair **link = &map->rows[hash & (map->cap - 1)];
  while (*link && ((*link)->hash != hash || strcmp((*link)->key, key))) link = &(*link)->next;
  return link;
}

void *map_get(const struct map *map, const char *key)
{
  if (!map->count) return NULL;
  struct map_pair *pair = *link_of(map, key, hash_of(key));
  return pair ? pair->value : NULL;
}

static enum status grow(struct map *map)
{
  size_t cap = map->cap ? map->cap * 2 : FIRST_CAP;
  struct map_pair **rows = calloc(cap, sizeof *rows);
  if (!rows) return NO_MEMORY;
  for (size_t i = 0; i < map->cap; i++) {
    for (struct map_pair *pair = map->rows[i], *next; pair; pair = next) {
      struct map_pair **row = &rows[pair->hash & (cap - 1)];
      next = pair->next;
      pair->next = *row;
      *row = pair;
    }
  }
  free(map->rows);
  map->rows = rows;
  map->cap = cap;
  return OK;
}

const char *map_put(struct map *map, const char *key, void *value)
{
  size_t len = strlen(key);
  uint32_t hash = hash_of(key);
  CHECK(value);
  if (map->count >= map->cap && grow(map)) return NULL;
  struct map_pair **link = link_of(map, key, hash);
  if (!*link) {
    struct map_pair *pair = calloc(1, sizeof *pair + len + 1);
    if (!pair) return NULL;
    pair->hash = hash;
    memcpy(pair->key, key, len + 1);
    *link = pair;
    map->count++;
  }
  (*link)->value = value;
  return (*link)->key;
}

void *map_remove(struct map *map, const char *key)
{
  if (!map->count) return NULL;
  struct map_pair **link = link_of(map, key, hash_of(key));
  struct map_pair *pair = *link;
  if (!pair) return NULL;
  void *value = pair->value;
  *link = pair->next;
  free(pair);
  map->count--;
  return value;
}

void *map_next(const struct map *map, struct map_walk *walk)
{
  struct map_pair *pair = walk->next;
  while (!pair && walk->row < map->cap) pair = map->rows[walk->row++];
  if (!pair) return NULL;
  walk->next = pair->next;
  walk->key = pair->key;
  return pair->value;
}
