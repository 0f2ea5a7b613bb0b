/* json.h - jansson with caps.
 *
 * Objects of the cluster must survive a round trip: lists stay lists, integers
 * stay integers, null stays null. Refused: duplicate keys, NaN, infinities,
 * invalid UTF-8, anything deeper or larger than the limits. */
#ifndef ENGINE_JSON_H
#define ENGINE_JSON_H

#include "buf.h"

#include <jansson.h>

#define JSON_MAX_DEPTH 64
#define JSON_MAX_BYTES (16u << 20)

/* NULL with `why` (INVALID with line and column, or TOO_LARGE) when the text is not acceptable. */
json_t *json_read(const char *text, size_t len, struct reason *why);

struct json_limits {
  size_t values, bytes;
};

/* The same for less: `values` bounds how many values and keys the text may hold. */
json_t *json_read_within(const char *text, size_t len, struct json_limits most, struct reason *why);

/* Appends compact text with keys in the order they have. */
enum status must_check json_write(const json_t *value, struct buf *out, struct reason *why);

/* The value at a path of keys, ended by NULL; NULL when it is not there. Borrowed. */
json_t *json_at(const json_t *value, ...) __attribute__((sentinel));

/* The text at such a path, or "". Borrowed. */
const char *json_text_at(const json_t *value, ...) __attribute__((sentinel));

#endif
