/* buf.h - growable bytes, born with a maximum.
 *
 * Appending past the maximum is an error like any other and leaves the buffer
 * as it was. `data` is always terminated by a NUL that `len` does not count. */
#ifndef ENGINE_BUF_H
#define ENGINE_BUF_H

#include "reason.h"

#include <stddef.h>

struct buf {
  char *data; /* NULL until the first append */
  size_t len, cap, max;
};

void buf_init(struct buf *b, size_t max);
void buf_close(struct buf *b);

/* Forgets the content, keeps the memory. */
void buf_clear(struct buf *b);

enum status must_check buf_add(struct buf *b, const void *bytes, size_t len);
enum status must_check buf_adds(struct buf *b, const char *text);
enum status must_check buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drops the first `len` bytes. */
void buf_shift(struct buf *b, size_t len);

#endif
