#include "watch_frames.h"

#include <string.h>

void frames_init(struct frames *frames)
{
  buf_init(&frames->rest, JSON_MAX_BYTES);
}

void frames_close(struct frames *frames)
{
  buf_close(&frames->rest);
}

void frames_clear(struct frames *frames)
{
  buf_clear(&frames->rest);
}

static bool is_blank(const char *line, size_t len)
{
  while (len && strchr(" \t\r", line[len - 1])) len--;
  return !len;
}

/* A line whose beginning came before. */
static enum status finish_rest(struct frames *frames, const char *bytes, size_t len,
  frames_line_cb *on_line, void *data)
{
  struct buf *rest = &frames->rest;
  enum status status = buf_add(rest, bytes, len);
  if (status) return status;
  bool more = is_blank(rest->data, rest->len) || on_line(data, rest->data, rest->len);
  buf_clear(rest);
  return more ? OK : CANCELLED;
}

enum status frames_feed(struct frames *frames, const char *bytes, size_t len,
  frames_line_cb *on_line, void *data)
{
  const char *end;
  while (len && (end = memchr(bytes, '\n', len))) {
    size_t line = (size_t)(end - bytes);
    enum status status = OK;
    if (frames->rest.len) status = finish_rest(frames, bytes, line, on_line, data);
    else if (!is_blank(bytes, line) && !on_line(data, bytes, line)) status = CANCELLED;
    if (status) return status;
    bytes += line + 1;
    len -= line + 1;
  }
  return buf_add(&frames->rest, bytes, len);
}

static bool type_of(const char *name, enum frame_type *type)
{
  static const struct {
    const char *name;
    enum frame_type type;
  } types[] = {
    { "ADDED",    FRAME_CHANGED },
    { "MODIFIED", FRAME_CHANGED },
    { "DELETED",  FRAME_DELETED },
    { "BOOKMARK", FRAME_BOOKMARK },
    { "ERROR",    FRAME_ERROR },
  };
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    if (strcmp(types[i].name, name) != 0) continue;
    *type = types[i].type;
    return true;
  }
  return false;
}

enum status frame_read(
  const char *line, size_t len, enum frame_type *type, json_t **object, struct reason *why)
{
  struct reason cause;
  json_t *event = json_read(line, len, &cause);
  *object = json_incref(json_at(event, "object", NULL));
  const char *name = json_text_at(event, "type", NULL);
  enum status status = OK;
  if (!event) status = reason_set(why, BAD_ANSWER, "the watch sent no JSON: %s", cause.text);
  else if (!type_of(name, type))
    status = reason_set(why, BAD_ANSWER, "the watch sent an event of type '%.40s'", name);
  else if (!json_is_object(*object))
    status = reason_set(why, BAD_ANSWER, "the watch sent an event without an object");
  if (status) {
    json_decref(*object);
    *object = NULL;
  }
  json_decref(event);
  return status;
}
