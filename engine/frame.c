#include "frame.h"

#include <string.h>

#define LENGTH_BYTES 4
#define HEAD_BYTES 9 /* length, kind, id */

static void put_number(unsigned char *out, uint32_t number)
{
  for (int i = 0; i < 4; i++) out[i] = (unsigned char)(number >> (24 - 8 * i));
}

static uint32_t get_number(const char *bytes)
{
  uint32_t number = 0;
  for (int i = 0; i < 4; i++) number = number << 8 | (unsigned char)bytes[i];
  return number;
}

/* Reading -------------------------------------------------------------------------------------- */

enum status frame_take(
  const char *bytes, size_t len, struct frame *frame, size_t *size, struct reason *why)
{
  *size = 0;
  if (len < LENGTH_BYTES) return OK;
  size_t rest = get_number(bytes);
  if (rest < HEAD_BYTES - LENGTH_BYTES || rest > FRAME_MAX_BYTES - LENGTH_BYTES)
    return reason_set(why, BAD_ANSWER, "a frame of %zu bytes", rest);
  if (len > LENGTH_BYTES && (bytes[4] < FRAME_RUN || bytes[4] > FRAME_STUCK))
    return reason_set(why, BAD_ANSWER, "a frame of kind %d", (unsigned char)bytes[4]);
  if (len < LENGTH_BYTES + rest) return OK;
  *size = LENGTH_BYTES + rest;
  *frame = (struct frame){ .kind = (enum frame_kind)bytes[4],
    .id = get_number(bytes + 5),
    .at = bytes + HEAD_BYTES,
    .left = *size - HEAD_BYTES };
  return OK;
}

bool frame_number(struct frame *frame, uint32_t *number)
{
  if (frame->left < 4) return false;
  *number = get_number(frame->at);
  frame->at += 4;
  frame->left -= 4;
  return true;
}

bool frame_bytes(struct frame *frame, const char **bytes, size_t *len)
{
  uint32_t n;
  if (!frame_number(frame, &n) || n > frame->left) return false;
  *bytes = frame->at;
  *len = n;
  frame->at += n;
  frame->left -= n;
  return true;
}

bool frame_text(struct frame *frame, char *out, size_t size)
{
  const char *bytes;
  size_t len;
  if (!frame_bytes(frame, &bytes, &len) || len >= size || memchr(bytes, '\0', len)) return false;
  memcpy(out, bytes, len);
  out[len] = '\0';
  return true;
}

/* Writing -------------------------------------------------------------------------------------- */

static void put(struct frame_draft *draft, const void *bytes, size_t len)
{
  if (!draft->status) draft->status = buf_add(draft->out, bytes, len);
  if (!draft->status && draft->out->len - draft->start > FRAME_MAX_BYTES) draft->status = TOO_LARGE;
}

struct frame_draft frame_open(struct buf *out, enum frame_kind kind, uint32_t id)
{
  unsigned char head[HEAD_BYTES] = { 0 };
  struct frame_draft draft = { .out = out, .start = out->len };
  head[4] = (unsigned char)kind;
  put_number(head + 5, id);
  put(&draft, head, sizeof head);
  return draft;
}

void frame_put_number(struct frame_draft *draft, uint32_t number)
{
  unsigned char bytes[4];
  put_number(bytes, number);
  put(draft, bytes, sizeof bytes);
}

void frame_put_bytes(struct frame_draft *draft, const void *bytes, size_t len)
{
  if (len > FRAME_MAX_BYTES && !draft->status) draft->status = TOO_LARGE;
  frame_put_number(draft, (uint32_t)len);
  put(draft, bytes, len);
}

void frame_put_text(struct frame_draft *draft, const char *text)
{
  frame_put_bytes(draft, text, strlen(text));
}

enum status frame_close(struct frame_draft *draft)
{
  struct buf *out = draft->out;
  if (!draft->status) {
    put_number((unsigned char *)out->data + draft->start,
      (uint32_t)(out->len - draft->start - LENGTH_BYTES));
  } else if (out->data) {
    out->data[out->len = draft->start] = '\0';
  }
  return draft->status;
}

void frame_plain(
  unsigned char out[FRAME_PLAIN_BYTES], enum frame_kind kind, uint32_t id, uint32_t number)
{
  put_number(out, FRAME_PLAIN_BYTES - LENGTH_BYTES);
  out[4] = (unsigned char)kind;
  put_number(out + 5, id);
  put_number(out + 9, number);
}
