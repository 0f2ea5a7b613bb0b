#include "log.h"

#include "text.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES (256u << 10)
#define VALUE_MAX_BYTES (8u << 10) /* longer messages and values are cut */

static const char *const level_names[] = { "debug", "info", "warn", "error" };

/* "2030-01-02T03:04:05.123Z" */
static void now_text(char *out, size_t size)
{
  struct timespec t;
  struct tm tm;
  char day[32] = "";
  clock_gettime(CLOCK_REALTIME, &t);
  if (gmtime_r(&t.tv_sec, &tm)) strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
  snprintf(out, size, "%s.%03ldZ", day, t.tv_nsec / 1000000);
}

static enum status add_value(struct buf *line, const char *text)
{
  size_t len = strlen(text);
  return text_quote(line, text, len < VALUE_MAX_BYTES ? len : VALUE_MAX_BYTES);
}

/* `lead` goes before the first pair. */
static enum status add_fields(struct buf *line, const struct log_field *fields, const char *lead)
{
  for (; fields && fields->name; fields++, lead = ",") {
    enum status status = buf_adds(line, lead);
    if (!status) status = add_value(line, fields->name);
    if (!status) status = buf_add(line, ":", 1);
    if (!status) status = add_value(line, fields->value ? fields->value : "");
    if (status) return status;
  }
  return OK;
}

static enum status add_json(struct buf *line, const char *level, const char *ts, const char *msg,
  const struct log_field *fields)
{
  enum status status = buf_addf(line, "{\"level\":\"%s\",\"ts\":\"%s\",\"msg\":", level, ts);
  if (!status) status = add_value(line, msg);
  if (!status) status = add_fields(line, fields, ",");
  return status ? status : buf_adds(line, "}\n");
}

/* Tabs between time, level, message and the fields as JSON. The message is escaped like a JSON
 * string and then loses its quotes: a script's error must not forge lines or drive a terminal. */
static enum status add_text(struct buf *line, const char *level, const char *ts, const char *msg,
  const struct log_field *fields)
{
  enum status status = buf_addf(line, "%s\t%s\t", ts, level);
  size_t start = line->len;
  if (!status) status = add_value(line, msg);
  if (status) return status;
  memmove(line->data + start, line->data + start + 1, line->len - start);
  line->data[line->len -= 2] = '\0';
  if (!fields || !fields->name) return buf_add(line, "\n", 1);
  status = add_fields(line, fields, "\t{");
  return status ? status : buf_adds(line, "}\n");
}

/* A log that cannot be written is not worth failing for: the rest is dropped. */
static void put(int fd, const char *bytes, size_t len)
{
  while (len) {
    ssize_t n = write(fd, bytes, len);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    bytes += n;
    len -= (size_t)n;
  }
}

void log_write(const struct log *log, enum log_level level, const char *msg,
  const struct log_field *fields)
{
  static const char lost[] = "{\"level\":\"error\",\"msg\":\"a log line was too large\"}\n";
  char ts[64];
  struct buf line;
  if (level < log->level) return;
  now_text(ts, sizeof ts);
  buf_init(&line, LINE_MAX_BYTES);
  enum status status = (log->text ? add_text : add_json)(&line, level_names[level], ts, msg, fields);
  if (status) put(log->fd, lost, sizeof lost - 1);
  else put(log->fd, line.data, line.len);
  buf_close(&line);
}

void log_f(const struct log *log, enum log_level level, const char *format, ...)
{
  char msg[2048];
  va_list args;
  if (level < log->level) return;
  va_start(args, format);
  vsnprintf(msg, sizeof msg, format, args);
  va_end(args);
  log_write(log, level, msg, NULL);
}

enum log_level log_level_of(const char *name)
{
  if (!strcmp(name, "debug")) return LOG_DEBUG;
  if (!strcmp(name, "warn")) return LOG_WARN;
  if (!strcmp(name, "error") || !strcmp(name, "fatal") || !strcmp(name, "panic")) return LOG_ERROR;
  return LOG_INFO;
}
