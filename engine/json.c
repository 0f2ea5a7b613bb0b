#include "json.h"

#include "text.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The parser recurses, so the depth is known before it starts. Malformed text may be counted wrong;
 * the parser refuses it then. */
static bool too_deep(const char *text, size_t len)
{
  size_t depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < len; i++) {
    char c = text[i];
    if (quoted && c == '\\') i++;
    else if (c == '"') quoted = !quoted;
    else if (quoted) continue;
    else if ((c == '[' || c == '{') && ++depth > JSON_MAX_DEPTH) return true;
    else if ((c == ']' || c == '}') && depth) depth--;
  }
  return false;
}

json_t *json_read(const char *text, size_t len, struct reason *why)
{
  json_error_t error;
  if (len > JSON_MAX_BYTES) {
    reason_set(why, TOO_LARGE, "JSON text of %zu bytes, at most %u are read", len, JSON_MAX_BYTES);
    return NULL;
  }
  if (too_deep(text, len)) {
    reason_set(why, INVALID, "JSON is too deep, at most %d levels are read", JSON_MAX_DEPTH);
    return NULL;
  }
  json_t *value = json_loadb(text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
  if (value) return value;
  /* jansson quotes the offending text, which may be a secret or anything else: cut there. */
  char *near = strstr(error.text, " near '");
  if (near) *near = '\0';
  reason_set(why, INVALID, "line %d, column %d: %s", error.line, error.column, error.text);
  return NULL;
}

/* At least as many as there are: every value but the first follows one of these. */
static size_t most_values(const char *text, size_t len)
{
  size_t n = 1;
  bool quoted = false;
  for (size_t i = 0; i < len; i++) {
    if (quoted && text[i] == '\\') i++;
    else if (text[i] == '"') quoted = !quoted;
    else if (!quoted && text[i] && strchr("[{,:", text[i])) n++;
  }
  return n;
}

json_t *json_read_within(const char *text, size_t len, struct json_limits most, struct reason *why)
{
  if (len <= most.bytes && most_values(text, len) <= most.values) return json_read(text, len, why);
  reason_set(why, TOO_LARGE, "JSON of %zu bytes, at most %zu bytes and %zu values are read", len,
    most.bytes, most.values);
  return NULL;
}

/* A short text that reads back as the same number, always with the look of a float. */
static enum status write_real(double number, struct buf *out, struct reason *why)
{
  char text[40];
  if (!isfinite(number)) return reason_set(why, INVALID, "NaN and infinities have no JSON form");
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, number);
    if (strtod(text, NULL) == number) break;
  }
  enum status status = buf_adds(out, text);
  return status || strpbrk(text, ".e") ? status : buf_adds(out, ".0");
}

static enum status write_value(const json_t *value, int depth, struct buf *out, struct reason *why);

static enum status write_list(const json_t *list, int depth, struct buf *out, struct reason *why)
{
  enum status status = buf_add(out, "[", 1);
  for (size_t i = 0; !status && i < json_array_size(list); i++) {
    if (i) status = buf_add(out, ",", 1);
    if (!status) status = write_value(json_array_get(list, i), depth, out, why);
  }
  return status ? status : buf_add(out, "]", 1);
}

static enum status write_object(const json_t *object, int depth, struct buf *out, struct reason *why)
{
  const char *key, *lead = "{";
  json_t *value, *map = (json_t *)object; /* jansson's iterator is not const */
  size_t len;
  enum status status = OK;
  json_object_keylen_foreach(map, key, len, value) {
    status = buf_add(out, lead, 1);
    if (!status) status = text_quote(out, key, len);
    if (!status) status = buf_add(out, ":", 1);
    if (!status) status = write_value(value, depth, out, why);
    if (status) return status;
    lead = ",";
  }
  return buf_adds(out, *lead == '{' ? "{}" : "}");
}

static enum status write_value(const json_t *value, int depth, struct buf *out, struct reason *why)
{
  bool nests = json_is_object(value) || json_is_array(value);
  if (nests && depth >= JSON_MAX_DEPTH) return reason_set(why, INVALID, "value is too deep for JSON");
  switch (json_typeof(value)) {
  case JSON_OBJECT: return write_object(value, depth + 1, out, why);
  case JSON_ARRAY: return write_list(value, depth + 1, out, why);
  case JSON_STRING: return text_quote(out, json_string_value(value), json_string_length(value));
  case JSON_INTEGER: return buf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
  case JSON_REAL: return write_real(json_real_value(value), out, why);
  case JSON_TRUE: return buf_adds(out, "true");
  case JSON_FALSE: return buf_adds(out, "false");
  case JSON_NULL: return buf_adds(out, "null");
  }
  return reason_set(why, INVALID, "value of no JSON type");
}

enum status json_write(const json_t *value, struct buf *out, struct reason *why)
{
  size_t before = out->len;
  enum status status = write_value(value, 0, out, why);
  if (!status) return OK;
  if (out->data) out->data[out->len = before] = '\0';
  if (status == TOO_LARGE) reason_set(why, status, "JSON text would exceed %zu bytes", out->max);
  if (status == NO_MEMORY) reason_set(why, status, "no memory for JSON text");
  return status;
}

static json_t *walk(const json_t *value, va_list path)
{
  const char *key;
  while (value && (key = va_arg(path, const char *))) value = json_object_get(value, key);
  return (json_t *)value;
}

json_t *json_at(const json_t *value, ...)
{
  va_list path;
  va_start(path, value);
  json_t *found = walk(value, path);
  va_end(path);
  return found;
}

const char *json_text_at(const json_t *value, ...)
{
  va_list path;
  va_start(path, value);
  const char *text = json_string_value(walk(value, path));
  va_end(path);
  return text ? text : "";
}
