/* yaml_scalar.h - what a plain scalar of YAML means. */
#ifndef ENGINE_YAML_SCALAR_H
#define ENGINE_YAML_SCALAR_H

#include "json.h"

/* New reference, or NULL with `why`. `text` is ended by a NUL at `len`. */
json_t *yaml_scalar(const char *text, size_t len, struct reason *why);

#endif
