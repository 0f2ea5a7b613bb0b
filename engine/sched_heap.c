#include "sched_entry.h"

#include <stdint.h>
#include <stdlib.h>

static void set(struct sched *sched, size_t place, struct entry *entry)
{
  sched->heap[place] = entry;
  entry->place = place;
}

static void rise(struct sched *sched, struct entry *entry, size_t place)
{
  for (; place > 1 && sched->heap[place / 2]->due > entry->due; place /= 2)
    set(sched, place, sched->heap[place / 2]);
  set(sched, place, entry);
}

static void sink(struct sched *sched, struct entry *entry, size_t place)
{
  for (;;) {
    size_t child = place * 2;
    if (child > sched->heap_len) break;
    if (child < sched->heap_len && sched->heap[child + 1]->due < sched->heap[child]->due) child++;
    if (sched->heap[child]->due >= entry->due) break;
    set(sched, place, sched->heap[child]);
    place = child;
  }
  set(sched, place, entry);
}

static bool grow(struct sched *sched)
{
  size_t cap = sched->heap_cap ? sched->heap_cap * 2 : 64;
  if (cap > SIZE_MAX / sizeof *sched->heap) return false;
  struct entry **heap = realloc(sched->heap, cap * sizeof *heap);
  if (!heap) return false;
  sched->heap = heap;
  sched->heap_cap = cap;
  return true;
}

void heap_remove(struct sched *sched, struct entry *entry)
{
  size_t place = entry->place;
  if (!place) return;
  struct entry *moved = sched->heap[sched->heap_len--];
  entry->place = 0;
  if (moved == entry) return;
  rise(sched, moved, place);
  sink(sched, moved, moved->place);
}

bool heap_put(struct sched *sched, struct entry *entry, double due)
{
  heap_remove(sched, entry);
  if (sched->heap_len + 1 >= sched->heap_cap && !grow(sched)) return false;
  entry->due = due;
  rise(sched, entry, ++sched->heap_len);
  return true;
}
