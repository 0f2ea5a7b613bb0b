/* What yaml_read accepts is a list of values that JSON can say, in bounded size. */
#include "yaml.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  size_t i;
  json_t *document;
  struct reason why = { .code = OK };
  struct buf text;
  json_t *documents = yaml_read((const char *)data, size, &why);
  if (!documents) {
    CHECK(why.code && why.text[0]);
    return 0;
  }
  buf_init(&text, 6 * (size + YAML_MAX_EXPANDED)); /* six bytes for the longest escape */
  json_array_foreach(documents, i, document) CHECK(!json_write(document, &text, &why));
  buf_close(&text);
  json_decref(documents);
  return 0;
}
