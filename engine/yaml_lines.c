#include "yaml_lines.h"

#include "yaml.h"

#include <stdbool.h>
#include <string.h>
#include <yaml.h>

#define MAX_PATH 4096         /* bytes of one path */
#define MAX_TOTAL (32u << 20)  /* bytes of all paths */

struct walk {
  yaml_parser_t parser;
  struct buf path;
  size_t total;
  json_t *lines; /* of this document */
};

static bool note(struct walk *w, const yaml_event_t *event)
{
  const char *path = w->path.len ? w->path.data : "";
  w->total += w->path.len + 16;
  if (w->total > MAX_TOTAL) return false;
  if (json_object_get(w->lines, path)) return true;
  return !json_object_set_new_nocheck(w->lines, path, json_integer((json_int_t)event->start_mark.line + 1));
}

static void cut(struct walk *w, size_t len)
{
  if (!w->path.data) return;
  w->path.len = len;
  w->path.data[len] = '\0';
}

static bool walk_node(struct walk *w, const yaml_event_t *event);

static bool next(struct walk *w, yaml_event_t *event)
{
  return yaml_parser_parse(&w->parser, event);
}

static bool walk_list(struct walk *w)
{
  yaml_event_t event;
  size_t before = w->path.len;
  for (unsigned n = 0;; n++) {
    if (!next(w, &event)) return false;
    bool last = event.type == YAML_SEQUENCE_END_EVENT;
    bool good = last || (!buf_addf(&w->path, "[%u]", n) && note(w, &event) && walk_node(w, &event));
    yaml_event_delete(&event);
    cut(w, before);
    if (last || !good) return good;
  }
}

/* The value of one key, whose event is `key`. */
static bool walk_value(struct walk *w, const yaml_event_t *key)
{
  yaml_event_t event;
  size_t before = w->path.len;
  bool plain = key->type == YAML_SCALAR_EVENT;
  if (plain && before && buf_adds(&w->path, ".")) return false;
  if (plain && buf_add(&w->path, key->data.scalar.value, key->data.scalar.length)) return false;
  if (plain && !note(w, key)) return false;
  if (!next(w, &event)) return false;
  bool good = walk_node(w, &event);
  yaml_event_delete(&event);
  cut(w, before);
  return good;
}

static bool walk_map(struct walk *w)
{
  yaml_event_t event;
  for (;;) {
    if (!next(w, &event)) return false;
    bool last = event.type == YAML_MAPPING_END_EVENT;
    bool good = last || walk_value(w, &event);
    yaml_event_delete(&event);
    if (last || !good) return good;
  }
}

static bool walk_node(struct walk *w, const yaml_event_t *event)
{
  if (event->type == YAML_SEQUENCE_START_EVENT) return walk_list(w);
  if (event->type == YAML_MAPPING_START_EVENT) return walk_map(w);
  return true;
}

static bool walk_stream(struct walk *w, json_t *documents)
{
  yaml_event_t event;
  for (bool more = true; more;) {
    if (!next(w, &event)) return false;
    bool good = true;
    yaml_event_type_t type = event.type;
    more = type != YAML_STREAM_END_EVENT;
    bool root = type == YAML_SCALAR_EVENT || type == YAML_SEQUENCE_START_EVENT ||
      type == YAML_MAPPING_START_EVENT;
    if (root) {
      w->lines = json_object();
      good = !json_array_append_new(documents, w->lines) && note(w, &event) && walk_node(w, &event);
      cut(w, 0);
    }
    yaml_event_delete(&event);
    if (!good) return false;
  }
  return true;
}

json_t *yaml_lines(const char *text, size_t len, struct reason *why)
{
  struct walk w = { .total = 0 };
  json_t *read = yaml_read(text, len, why); /* so that depth and size are known to be within the limits */
  if (!read) return NULL;
  json_decref(read);
  reason_set(why, TOO_LARGE, "the paths of the YAML text are too long");
  json_t *documents = json_array();
  if (!documents || !yaml_parser_initialize(&w.parser)) {
    json_decref(documents);
    return NULL;
  }
  buf_init(&w.path, MAX_PATH);
  yaml_parser_set_encoding(&w.parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&w.parser, (const unsigned char *)text, len);
  bool good = walk_stream(&w, documents);
  yaml_parser_delete(&w.parser);
  buf_close(&w.path);
  if (good) return documents;
  json_decref(documents);
  return NULL;
}
