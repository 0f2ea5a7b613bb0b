#include "yaml.h"

#include "yaml_scalar.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define MAX_ANCHORS 1024
#define VALUE_COST 16 /* of any value, besides its bytes */

struct anchor {
  char *name; /* owned */
  json_t *value;
  size_t cost;
};

struct reading {
  yaml_parser_t parser;
  struct reason *why;
  struct anchor *anchors; /* of this document; MAX_ANCHORS of them, made for the first */
  size_t n_anchors;
  size_t cost;     /* of everything so far, with each alias at the cost of what it names */
  size_t expanded; /* the part of it that came from aliases */
};

static json_t *read_node(struct reading *r, const yaml_event_t *event, int depth);

static json_t *refuse(struct reading *r, enum status code, const yaml_event_t *event,
  const char *message)
{
  reason_set(r->why, code, "line %zu, column %zu: %s", event->start_mark.line + 1,
    event->start_mark.column + 1, message);
  return NULL;
}

/* The caller deletes the event when this returned true. */
static bool next_event(struct reading *r, yaml_event_t *event)
{
  if (yaml_parser_parse(&r->parser, event)) return true;
  const yaml_parser_t *p = &r->parser;
  if (p->error == YAML_MEMORY_ERROR) reason_set(r->why, NO_MEMORY, "no memory for YAML");
  else if (p->error == YAML_READER_ERROR)
    reason_set(r->why, INVALID, "byte %zu: %s", p->problem_offset, p->problem);
  else
    reason_set(r->why, INVALID, "line %zu, column %zu: %s", p->problem_mark.line + 1,
      p->problem_mark.column + 1, p->problem ? p->problem : "not YAML");
  return false;
}

/* Anchors --------------------------------------------------------------------------------------- */

static struct anchor *find_anchor(struct reading *r, const char *name)
{
  for (size_t i = 0; i < r->n_anchors; i++)
    if (!strcmp(r->anchors[i].name, name)) return &r->anchors[i];
  return NULL;
}

static void forget_anchors(struct reading *r)
{
  for (size_t i = 0; i < r->n_anchors; i++) {
    free(r->anchors[i].name);
    json_decref(r->anchors[i].value);
  }
  r->n_anchors = 0;
}

static bool add_anchor(struct reading *r, const yaml_event_t *event, const char *name,
  json_t *value, size_t cost)
{
  struct anchor *anchor = find_anchor(r, name);
  if (anchor) { /* the newest of a name counts */
    json_decref(anchor->value);
    anchor->value = json_incref(value);
    anchor->cost = cost;
    return true;
  }
  if (r->n_anchors == MAX_ANCHORS) return refuse(r, TOO_LARGE, event, "too many anchors");
  if (!r->anchors) r->anchors = calloc(MAX_ANCHORS, sizeof *r->anchors);
  char *copy = r->anchors ? strdup(name) : NULL;
  if (!copy) return refuse(r, NO_MEMORY, event, "no memory for YAML");
  r->anchors[r->n_anchors++] = (struct anchor){ copy, json_incref(value), cost };
  return true;
}

/* An anchor is known once its node is complete, so none can hold itself. */
static json_t *read_alias(struct reading *r, const yaml_event_t *event)
{
  struct anchor *anchor = find_anchor(r, (const char *)event->data.alias.anchor);
  if (!anchor) return refuse(r, INVALID, event, "alias of an unknown or unfinished anchor");
  r->cost += anchor->cost;
  r->expanded += anchor->cost;
  if (r->expanded > YAML_MAX_EXPANDED) return refuse(r, TOO_LARGE, event, "aliases expand to too much");
  return json_incref(anchor->value);
}

/* Scalars --------------------------------------------------------------------------------------- */

static bool has_tag(const char *tag, const char *name)
{
  static const char prefix[] = "tag:yaml.org,2002:";
  return !strncmp(tag, prefix, sizeof prefix - 1) && !strcmp(tag + sizeof prefix - 1, name);
}

/* An explicit tag must say what the value is. */
static bool tag_fits(const char *tag, const json_t *value)
{
  switch (json_typeof(value)) {
  case JSON_OBJECT: return has_tag(tag, "map");
  case JSON_ARRAY: return has_tag(tag, "seq");
  case JSON_STRING: return has_tag(tag, "str") || !strcmp(tag, "!");
  case JSON_INTEGER: return has_tag(tag, "int");
  case JSON_REAL: return has_tag(tag, "float");
  case JSON_TRUE: case JSON_FALSE: return has_tag(tag, "bool");
  case JSON_NULL: return has_tag(tag, "null");
  }
  return false;
}

static json_t *read_scalar(struct reading *r, const yaml_event_t *event)
{
  const char *text = (const char *)event->data.scalar.value;
  const char *tag = (const char *)event->data.scalar.tag;
  size_t len = event->data.scalar.length;
  struct reason why = { .text = "text is not valid UTF-8" };
  bool plain = tag ? !has_tag(tag, "str") && strcmp(tag, "!") : event->data.scalar.plain_implicit;
  json_t *value = plain ? yaml_scalar(text, len, &why) : json_stringn(text, len);
  r->cost += len;
  return value ? value : refuse(r, INVALID, event, why.text);
}

/* Collections ------------------------------------------------------------------------------------ */

static json_t *read_list(struct reading *r, int depth)
{
  json_t *list = json_array();
  yaml_event_t event;
  while (list && next_event(r, &event)) {
    bool last = event.type == YAML_SEQUENCE_END_EVENT;
    json_t *item = last ? NULL : read_node(r, &event, depth);
    bool good = item && !json_array_append_new(list, item);
    yaml_event_delete(&event);
    if (last) return list;
    if (!good) break;
  }
  json_decref(list);
  return NULL;
}

/* A scalar that is not a string becomes the text JSON has for it. */
static json_t *key_text(struct reading *r, const yaml_event_t *event, json_t *key)
{
  struct buf text;
  if (!key || json_is_string(key)) return key;
  buf_init(&text, 64);
  bool fits = !json_is_object(key) && !json_is_array(key) && !json_is_null(key);
  json_t *name = fits && !json_write(key, &text, NULL) ? json_stringn(text.data, text.len) : NULL;
  buf_close(&text);
  json_decref(key);
  return name ? name : refuse(r, INVALID, event, "a key must be a text");
}

/* Takes `value`. */
static bool set_key(struct reading *r, const yaml_event_t *event, json_t *object, const json_t *key,
  json_t *value)
{
  const char *text = json_string_value(key);
  size_t len = json_string_length(key);
  const char *wrong = memchr(text, '\0', len) ? "a key holds a NUL byte" : NULL;
  if (json_object_getn(object, text, len)) wrong = "duplicate key";
  if (!wrong && !json_object_setn_new_nocheck(object, text, len, value)) return true;
  if (wrong) json_decref(value);
  return refuse(r, INVALID, event, wrong ? wrong : "no memory for YAML");
}

/* Adds a mapping, or the mappings of a list, to what is merged at the end. Takes `source`. */
static bool add_merge(struct reading *r, const yaml_event_t *event, json_t **merges, json_t *source)
{
  size_t i;
  json_t *item;
  bool good = json_is_object(source) || json_is_array(source);
  json_array_foreach(source, i, item) good = good && json_is_object(item);
  if (!*merges) *merges = json_array();
  if (json_is_object(source)) good = !json_array_append(*merges, source) && good;
  else if (good) good = !json_array_extend(*merges, source);
  json_decref(source);
  return good || refuse(r, INVALID, event, "<< merges mappings only");
}

/* What the mapping says itself wins, then the earlier source. */
static bool merge(json_t *object, const json_t *merges)
{
  size_t i;
  json_t *source;
  json_array_foreach(merges, i, source) {
    if (json_object_update_missing(object, source)) return false;
  }
  return true;
}

static bool is_merge(const yaml_event_t *event)
{
  return event->type == YAML_SCALAR_EVENT && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
    !event->data.scalar.tag && !strcmp((const char *)event->data.scalar.value, "<<");
}

/* One key and its value. */
static bool read_pair(struct reading *r, const yaml_event_t *first, json_t *object, json_t **merges,
  int depth)
{
  yaml_event_t event;
  bool merging = is_merge(first);
  json_t *key = key_text(r, first, read_node(r, first, depth));
  if (!key) return false;
  bool good = next_event(r, &event);
  if (good) {
    json_t *value = read_node(r, &event, depth);
    good = value && (merging ? add_merge(r, &event, merges, value) : set_key(r, first, object, key, value));
    yaml_event_delete(&event);
  }
  json_decref(key);
  return good;
}

static json_t *read_map(struct reading *r, int depth)
{
  json_t *object = json_object(), *merges = NULL;
  yaml_event_t event;
  bool good = object, last = false;
  while (good && !last) {
    good = next_event(r, &event);
    if (!good) break;
    last = event.type == YAML_MAPPING_END_EVENT;
    good = last || read_pair(r, &event, object, &merges, depth);
    yaml_event_delete(&event);
  }
  good = good && merge(object, merges);
  json_decref(merges);
  if (good) return object;
  json_decref(object);
  return NULL;
}

/* The name of the anchor and the tag of a node, NULL without. */
static void labels_of(const yaml_event_t *event, const char **anchor, const char **tag)
{
  const yaml_char_t *a = NULL, *t = NULL;
  switch (event->type) {
  case YAML_SCALAR_EVENT: a = event->data.scalar.anchor, t = event->data.scalar.tag; break;
  case YAML_SEQUENCE_START_EVENT:
    a = event->data.sequence_start.anchor, t = event->data.sequence_start.tag;
    break;
  case YAML_MAPPING_START_EVENT:
    a = event->data.mapping_start.anchor, t = event->data.mapping_start.tag;
    break;
  default: break;
  }
  *anchor = (const char *)a;
  *tag = (const char *)t;
}

static json_t *read_node(struct reading *r, const yaml_event_t *event, int depth)
{
  const char *anchor, *tag;
  size_t before = r->cost;
  json_t *value = NULL;
  bool nests = event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT;
  if (nests && depth >= YAML_MAX_DEPTH) return refuse(r, INVALID, event, "too deep");
  r->cost += VALUE_COST;
  switch (event->type) {
  case YAML_ALIAS_EVENT: return read_alias(r, event);
  case YAML_SCALAR_EVENT: value = read_scalar(r, event); break;
  case YAML_SEQUENCE_START_EVENT: value = read_list(r, depth + 1); break;
  case YAML_MAPPING_START_EVENT: value = read_map(r, depth + 1); break;
  default: return refuse(r, INVALID, event, "not a value");
  }
  if (!value) return NULL;
  labels_of(event, &anchor, &tag);
  bool good = !tag || tag_fits(tag, value) || refuse(r, INVALID, event, "tag does not fit the value");
  if (good && anchor) good = add_anchor(r, event, anchor, value, r->cost - before);
  if (good) return value;
  json_decref(value);
  return NULL;
}

/* Documents until the end of the stream. */
static bool read_stream(struct reading *r, json_t *documents)
{
  yaml_event_t event;
  for (bool more = true; more;) {
    if (!next_event(r, &event)) return false;
    bool good = true;
    switch (event.type) {
    case YAML_STREAM_START_EVENT: case YAML_DOCUMENT_START_EVENT: break;
    case YAML_DOCUMENT_END_EVENT: forget_anchors(r); break;
    case YAML_STREAM_END_EVENT: more = false; break;
    default: {
      json_t *value = read_node(r, &event, 0);
      good = value && !json_array_append_new(documents, value);
    }
    }
    yaml_event_delete(&event);
    if (!good) return false;
  }
  return true;
}

json_t *yaml_read(const char *text, size_t len, struct reason *why)
{
  struct reading r = { .why = why };
  if (len > YAML_MAX_BYTES) {
    reason_set(why, TOO_LARGE, "YAML text of %zu bytes, at most %u are read", len, YAML_MAX_BYTES);
    return NULL;
  }
  reason_set(why, NO_MEMORY, "no memory for YAML"); /* unless something better is known */
  json_t *documents = json_array();
  if (!documents || !yaml_parser_initialize(&r.parser)) {
    json_decref(documents);
    return NULL;
  }
  yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
  bool good = read_stream(&r, documents);
  forget_anchors(&r);
  free(r.anchors);
  yaml_parser_delete(&r.parser);
  if (good) return documents;
  json_decref(documents);
  return NULL;
}
