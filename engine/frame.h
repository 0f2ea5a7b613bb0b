/* frame.h - messages on the pipe between the engine and a worker.
 *
 *   length of the rest (4 bytes) | kind (1) | id of the run (4) | fields
 *
 * Big endian. A field is a number (4 bytes), or a length (4) and so many bytes. Who reads believes
 * nothing: a frame that is too long, of no known kind, or whose fields do not end where it ends is
 * an error, and the pipe is of no use any more. */
#ifndef ENGINE_FRAME_H
#define ENGINE_FRAME_H

#include "buf.h"

#include <stdbool.h>
#include <stdint.h>

#define FRAME_MAX_BYTES (2u << 20) /* of one, with its length */
#define FRAME_PLAIN_BYTES 13       /* of one whose only field is a number */

enum frame_kind {
  /* to the worker */
  FRAME_RUN = 1, /* name, entry, source, argument; burst, budget (us), memory, seed, n, n names */
  FRAME_ANSWER,  /* the results of a call, as a JSON list */
  FRAME_RAISE,   /* the text of the error that a call raised */
  FRAME_CANCEL,  /* the run is not wanted any more; has no answer */
  /* from it */
  FRAME_HELLO,   /* why it is not confined; empty when it is. The first one, and only that */
  FRAME_CALL,    /* name, arguments as a JSON list */
  FRAME_DONE,    /* the result as JSON */
  FRAME_FAIL,    /* -status, line or 0, text */
  FRAME_STUCK,   /* line or 0; the worker ends then */
};

struct frame {
  enum frame_kind kind;
  uint32_t id;
  const char *at; /* fields that were not taken yet; borrowed */
  size_t left;
};

/* Reading -------------------------------------------------------------------------------------- */

/* The first frame in `bytes`, and its size with its length; the size is 0 when it is not whole
 * yet. BAD_ANSWER with `why`. */
enum status must_check frame_take(
  const char *bytes, size_t len, struct frame *frame, size_t *size, struct reason *why);

/* The next field; false when there is none of that form. Bytes are borrowed. */
bool must_check frame_number(struct frame *frame, uint32_t *number);
bool must_check frame_bytes(struct frame *frame, const char **bytes, size_t *len);

/* Bytes without a NUL that fit, ended by one. */
bool must_check frame_text(struct frame *frame, char *out, size_t size);

/* Writing: open, put, close ---------------------------------------------------------------------- */

/* What is put wrong is said by frame_close, which then leaves `out` as it was. */
struct frame_draft {
  struct buf *out;
  size_t start;
  enum status status;
};

struct frame_draft frame_open(struct buf *out, enum frame_kind kind, uint32_t id);
void frame_put_number(struct frame_draft *draft, uint32_t number);
void frame_put_bytes(struct frame_draft *draft, const void *bytes, size_t len);
void frame_put_text(struct frame_draft *draft, const char *text);
enum status must_check frame_close(struct frame_draft *draft);

/* A frame with one number, without memory of its own: for a signal handler. */
void frame_plain(
  unsigned char out[FRAME_PLAIN_BYTES], enum frame_kind kind, uint32_t id, uint32_t number);

#endif
