/* log.h - one line per event on stderr, as JSON or as text.
 *
 * JSON lines carry Flagger's keys: level, ts, msg, and the fields given
 * (`canary` is "name.namespace"). */
#ifndef ENGINE_LOG_H
#define ENGINE_LOG_H

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log {
  enum log_level level; /* lines below are dropped */
  bool text;            /* "console" encoding instead of JSON */
  int fd;               /* where to; 2 in production */
};

struct log_field {
  const char *name, *value;
};

/* Fields end with one whose name is NULL; `fields` may be NULL. Values are escaped. */
void log_write(const struct log *log, enum log_level level, const char *msg, const struct log_field *fields);
void log_f(const struct log *log, enum log_level level, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* "debug", "info", "warn", "error", "fatal", "panic"; anything else is info, as Flagger has it. */
enum log_level log_level_of(const char *name);

#endif
