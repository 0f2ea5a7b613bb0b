/* watch_frames.h - the bytes of a watch, cut into its lines and events, wherever chunks begin. */
#ifndef ENGINE_WATCH_FRAMES_H
#define ENGINE_WATCH_FRAMES_H

#include "json.h"

#include <stdbool.h>

struct frames {
  struct buf rest; /* a line that is not whole yet */
};

void frames_init(struct frames *frames);
void frames_close(struct frames *frames);

/* Forgets what is not whole. */
void frames_clear(struct frames *frames);

/* One whole line without its end; false: no more. */
typedef bool frames_line_cb(void *data, const char *line, size_t len);

/* Calls on_line for each line that is now whole and not blank. CANCELLED: it wanted no more;
 * TOO_LARGE: a line longer than a JSON text may be. */
enum status must_check frames_feed(struct frames *frames, const char *bytes, size_t len,
  frames_line_cb *on_line, void *data);

enum frame_type { FRAME_CHANGED, FRAME_DELETED, FRAME_BOOKMARK, FRAME_ERROR };

/* The event in a line; its object (never NULL, an object) is the caller's. BAD_ANSWER with `why`. */
enum status must_check frame_read(
  const char *line, size_t len, enum frame_type *type, json_t **object, struct reason *why);

#endif
