/* yaml.h - libyaml with caps, to the values of json.h.
 *
 * Scalars follow the core schema of YAML 1.2 (true and false are the only booleans), with one habit
 * of Kubernetes' tools: 0644 is octal, as modes are written. Quoted scalars are strings. Keys are
 * texts, unique, and `<<` merges. Refused: NaN and infinities, unknown tags, anchors that hold
 * themselves, and what exceeds the limits. */
#ifndef ENGINE_YAML_H
#define ENGINE_YAML_H

#include "json.h"

#define YAML_MAX_BYTES (8u << 20)
#define YAML_MAX_DEPTH JSON_MAX_DEPTH
#define YAML_MAX_EXPANDED (1u << 20) /* what all aliases of a stream stand for, about in bytes */

/* Every document of the stream as a JSON list, or NULL with `why`. Parts that aliases name are
 * shared, so do not write to the result. */
json_t *yaml_read(const char *text, size_t len, struct reason *why);

#endif
