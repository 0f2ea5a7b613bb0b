#include "reason.h"

#include <stdlib.h>

const char *status_name(enum status code)
{
  switch (code) {
  case OK: return "OK";
  case NOT_FOUND: return "NOT_FOUND";
  case CONFLICT: return "CONFLICT";
  case EXISTS: return "EXISTS";
  case FORBIDDEN: return "FORBIDDEN";
  case INVALID: return "INVALID";
  case GONE: return "GONE";
  case THROTTLED: return "THROTTLED";
  case TIMEOUT: return "TIMEOUT";
  case UNREACHABLE: return "UNREACHABLE";
  case TOO_LARGE: return "TOO_LARGE";
  case BAD_ANSWER: return "BAD_ANSWER";
  case CANCELLED: return "CANCELLED";
  case NO_MEMORY: return "NO_MEMORY";
  case SCRIPT: return "SCRIPT";
  case MEMORY: return "MEMORY";
  case CRASH: return "CRASH";
  case QUARANTINED: return "QUARANTINED";
  case REFUSED: return "REFUSED";
  }
  return "BAD_ANSWER";
}

enum status reason_set(struct reason *why, enum status code, const char *format, ...)
{
  if (!why) return code;
  struct reason fresh = { .code = code };
  va_list args;
  va_start(args, format);
  vsnprintf(fresh.text, sizeof fresh.text, format, args);
  va_end(args);
  *why = fresh; /* last, because an argument may be the text it replaces */
  return code;
}

void check_failed(const char *file, int line, const char *what)
{
  fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
  abort();
}
