/* reason.h - why something failed: a code for programs, a sentence for people. */
#ifndef ENGINE_REASON_H
#define ENGINE_REASON_H

#include <stdarg.h>
#include <stdio.h>

#define must_check __attribute__((warn_unused_result))

/* The codes a Lua caller sees as the third result of `nil, message, CODE`. */
enum status {
  OK = 0,
  NOT_FOUND = -1,
  CONFLICT = -2,      /* the object has changed since it was read */
  EXISTS = -3,
  FORBIDDEN = -4,     /* 401 and 403 */
  INVALID = -5,       /* the server or a parser refuses the content */
  GONE = -6,          /* 410: a resourceVersion too old to watch from */
  THROTTLED = -7,     /* 429 and 503 with Retry-After */
  TIMEOUT = -8,
  UNREACHABLE = -9,   /* no connection, or one that broke */
  TOO_LARGE = -10,
  BAD_ANSWER = -11,   /* an answer that is not what the protocol promises; also HTTP 5xx */
  CANCELLED = -12,
  NO_MEMORY = -13,
  SCRIPT = -14,       /* a custom script raised an error, or gave what it may not */
  MEMORY = -15,       /* a custom script used more than it may */
  CRASH = -16,        /* the process that ran it ended */
  QUARANTINED = -17,  /* it ended one before, and is not run again for a while */
  REFUSED = -18,      /* it is not run at all */
};

struct reason {
  enum status code;
  int http_status;    /* the HTTP status behind it, 0 when there was none */
  double retry_after; /* seconds the server asked us to wait, 0 when it did not */
  char text[256];
};

/* The name a Lua caller sees ("NOT_FOUND"); "OK" for OK. */
const char *status_name(enum status code);

/* Fills `why` (which may be NULL) and returns `code`, so `return fail(why, INVALID, "...")`. */
enum status reason_set(struct reason *why, enum status code, const char *format, ...)
  __attribute__((format(printf, 3, 4)));

/* An assertion that stays in release builds; for our own bugs only. */
#define CHECK(what) \
  do { \
    if (!(what)) check_failed(__FILE__, __LINE__, #what); \
  } while (0)
_Noreturn void check_failed(const char *file, int line, const char *what);

#endif
