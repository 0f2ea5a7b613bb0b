/* The lines of a watch are the same wherever its chunks begin: the first byte says how long they are. */
#include "watch_frames.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_line(void *data, const char *line, size_t len)
{
  struct reason why = { .code = OK };
  enum frame_type type;
  json_t *object;
  enum status status = frame_read(line, len, &type, &object, &why);
  CHECK(len && (status ? !object && why.text[0] : json_is_object(object)));
  json_decref(object);
  return !buf_add(data, line, len) && !buf_add(data, "\n", 1);
}

static void feed(const char *bytes, size_t len, size_t chunk, struct buf *lines)
{
  struct frames frames;
  frames_init(&frames);
  for (size_t n; len; bytes += n, len -= n) {
    n = chunk < len ? chunk : len;
    CHECK(!frames_feed(&frames, bytes, n, on_line, lines));
  }
  frames_close(&frames);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct buf whole, cut;
  if (size < 2) return 0;
  buf_init(&whole, 2 * size);
  buf_init(&cut, 2 * size);
  feed((const char *)data + 1, size - 1, size, &whole);
  feed((const char *)data + 1, size - 1, data[0] % 16u + 1, &cut);
  CHECK(whole.len == cut.len && (!whole.len || !memcmp(whole.data, cut.data, whole.len)));
  buf_close(&whole);
  buf_close(&cut);
  return 0;
}
