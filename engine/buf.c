#include "buf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

void buf_init(struct buf *b, size_t max)
{
  CHECK(max < SIZE_MAX / 2); /* so that doubling and the NUL cannot overflow */
  *b = (struct buf){ .max = max };
}

void buf_close(struct buf *b)
{
  free(b->data);
  *b = (struct buf){ .max = b->max };
}

void buf_clear(struct buf *b)
{
  b->len = 0;
  if (b->data) b->data[0] = '\0';
}

/* Makes room for `len` more bytes and the NUL. */
static enum status reserve(struct buf *b, size_t len)
{
  if (len > b->max - b->len) return TOO_LARGE;
  size_t need = b->len + len + 1;
  if (need <= b->cap) return OK;
  size_t cap = b->cap ? b->cap : FIRST_CAP;
  while (cap < need) cap *= 2;
  if (cap > b->max + 1) cap = b->max + 1;
  char *data = realloc(b->data, cap);
  if (!data) return NO_MEMORY;
  b->data = data;
  b->cap = cap;
  return OK;
}

enum status buf_add(struct buf *b, const void *bytes, size_t len)
{
  enum status status = reserve(b, len);
  if (status) return status;
  if (len) memcpy(b->data + b->len, bytes, len);
  b->len += len;
  b->data[b->len] = '\0';
  return OK;
}

enum status buf_adds(struct buf *b, const char *text)
{
  return buf_add(b, text, strlen(text));
}

enum status buf_addf(struct buf *b, const char *format, ...)
{
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int len = vsnprintf(NULL, 0, format, args);
  enum status status = len < 0 ? INVALID : reserve(b, (size_t)len);
  if (!status) {
    vsnprintf(b->data + b->len, (size_t)len + 1, format, again);
    b->len += (size_t)len;
  }
  va_end(again);
  va_end(args);
  return status;
}

void buf_shift(struct buf *b, size_t len)
{
  CHECK(len <= b->len);
  if (!len) return;
  b->len -= len;
  memmove(b->data, b->data + len, b->len + 1);
}
