#include "worker_heap.h"

#include <stdlib.h>

void heap_init(struct heap *heap, size_t most)
{
  *heap = (struct heap){ .most = most };
  heap->blocks.next = heap->blocks.prev = &heap->blocks;
}

void heap_close(struct heap *heap)
{
  while (heap->blocks.next != &heap->blocks) {
    struct heap_block *block = heap->blocks.next;
    heap->blocks.next = block->next;
    free(block);
  }
  heap_init(heap, heap->most);
}

static void *release(struct heap *heap, struct heap_block *block, size_t cost)
{
  block->next->prev = block->prev;
  block->prev->next = block->next;
  heap->used -= cost;
  free(block);
  return NULL;
}

void *heap_alloc(void *data, void *bytes, size_t old, size_t size)
{
  struct heap *heap = data;
  struct heap_block *block = bytes ? (struct heap_block *)bytes - 1 : NULL, *fresh;
  size_t had = bytes ? old + sizeof *block : 0;
  if (!size) return block ? release(heap, block, had) : NULL;
  if (size > heap->most || size + sizeof *block > heap->most - (heap->used - had)) {
    heap->refused = true;
    return NULL;
  }
  fresh = realloc(block, size + sizeof *block);
  if (!fresh) {
    heap->refused = true;
    return NULL;
  }
  heap->used += size + sizeof *block - had;
  if (!block) {
    fresh->next = heap->blocks.next;
    fresh->prev = &heap->blocks;
  }
  fresh->next->prev = fresh->prev->next = fresh;
  return fresh + 1;
}
