/* What json_read accepts, json_write writes, and reading that gives the same value. */
#include "json.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct reason why = { .code = OK };
  struct buf text;
  json_t *value = json_read((const char *)data, size, &why);
  if (!value) {
    CHECK(why.code && why.text[0]);
    return 0;
  }
  buf_init(&text, 8 * JSON_MAX_BYTES);
  CHECK(!json_write(value, &text, &why));
  json_t *again = json_read(text.data, text.len, &why);
  CHECK(again && json_equal(value, again));
  json_decref(again);
  json_decref(value);
  buf_close(&text);
  return 0;
}
