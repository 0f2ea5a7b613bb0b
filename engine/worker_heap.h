/* worker_heap.h - the memory of one run: counted, capped, and freed as a whole.
 *
 * A run may be left at any instruction (worker_run.h); its state is not closed then, its blocks
 * are just freed. */
#ifndef ENGINE_WORKER_HEAP_H
#define ENGINE_WORKER_HEAP_H

#include <stdbool.h>
#include <stddef.h>

struct heap_block {
  struct heap_block *next, *prev;
};

struct heap {
  struct heap_block blocks; /* the ring's anchor */
  size_t used, most;        /* bytes, with what each block costs */
  bool refused;             /* something was too much, at least once */
};

/* The struct must stay where it is. */
void heap_init(struct heap *heap, size_t most);
void heap_close(struct heap *heap);

/* A lua_Alloc; `heap` is a struct heap. */
void *heap_alloc(void *heap, void *block, size_t old, size_t size);

#endif
