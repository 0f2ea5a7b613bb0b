/* Whatever comes through the pipe is a frame, not whole yet, or an error; and what was written can
 * be read. */
#include "frame.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes fields by turns until one is none; all stay inside of the frame. */
static void take_fields(struct frame frame)
{
  const char *end = frame.at + frame.left, *bytes = "";
  char text[64];
  uint32_t number = 0;
  size_t len = 0;
  for (bool more = true; more;) {
    struct frame again = frame;
    if (frame_text(&again, text, sizeof text)) CHECK(strlen(text) < sizeof text);
    more = frame_bytes(&frame, &bytes, &len);
    CHECK(!more || (bytes + len <= end && frame.at + frame.left == end));
    more = frame_number(&frame, &number) || more;
    CHECK(frame.at + frame.left == end);
  }
}

/* A frame cut anywhere is not whole, or refused for the same reason as before. */
static void cut(const char *bytes, size_t size)
{
  struct frame frame;
  size_t taken;
  for (size_t len = 0; len < size; len += size / 16 + 1)
    CHECK(!frame_take(bytes, len, &frame, &taken, NULL) && !taken);
}

static void write_back(const char *bytes, size_t len)
{
  struct buf out;
  struct frame frame;
  const char *again;
  size_t size, n;
  buf_init(&out, FRAME_MAX_BYTES);
  struct frame_draft draft = frame_open(&out, FRAME_DONE, 7);
  frame_put_bytes(&draft, bytes, len);
  CHECK(!frame_close(&draft) && !frame_take(out.data, out.len, &frame, &size, NULL));
  CHECK(size == out.len && frame.kind == FRAME_DONE && frame.id == 7);
  CHECK(frame_bytes(&frame, &again, &n) && n == len && !frame.left);
  CHECK(!len || !memcmp(again, bytes, len));
  buf_close(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const char *bytes = (const char *)data;
  struct reason why = { .code = OK };
  struct frame frame;
  size_t at = 0, taken = 1;
  if (size < FRAME_MAX_BYTES / 2) write_back(bytes, size);
  while (taken && at < size) {
    enum status status = frame_take(bytes + at, size - at, &frame, &taken, &why);
    CHECK(status ? why.text[0] && !taken : at + taken <= size);
    if (taken) {
      take_fields(frame);
      cut(bytes + at, taken);
    }
    at += taken;
  }
  return 0;
}
