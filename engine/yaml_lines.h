/* yaml_lines.h - where the keys of a YAML stream stand. */
#ifndef ENGINE_YAML_LINES_H
#define ENGINE_YAML_LINES_H

#include "json.h"

/* For every document an object { path: line }, such as "spec.analysis.metrics[0].name": 12; "" is the
 * document itself. Parts that an alias or << brings in are not in it. NULL with `why` for a text that
 * yaml_read refuses, and TOO_LARGE when the paths together are too long. */
json_t *yaml_lines(const char *text, size_t len, struct reason *why);

#endif
