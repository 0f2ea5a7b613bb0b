#include "kube_status.h"

#include "json.h"

#include <stdlib.h>
#include <string.h>

#define STATUS_MAX_BYTES (1u << 20)
#define RETRY_MAX_S      3600

/* Seconds; a date is not understood, and then a second is as good as anything. */
static double retry_after(const struct http_answer *answer, const json_t *status)
{
  char text[64], *end;
  http_header(answer, "Retry-After", text, sizeof text);
  double seconds = (double)strtoul(text, &end, 10);
  const json_t *details = json_at(status, "details", "retryAfterSeconds", NULL);
  if (text[0] && (end == text || *end)) seconds = 1;
  if (!text[0] && json_is_integer(details)) seconds = (double)json_integer_value(details);
  if (seconds < 0) return 0;
  return seconds < RETRY_MAX_S ? seconds : RETRY_MAX_S;
}

static enum status code_of(int http, const char *method, const char *reason, bool later)
{
  switch (http) {
  case 401:
  case 403: return FORBIDDEN;
  case 404: return NOT_FOUND;
  case 409: {
    bool exists = !strcmp(method, "POST") || !strcmp(reason, "AlreadyExists");
    return exists ? EXISTS : CONFLICT;
  }
  case 410: return GONE;
  case 400:
  case 415:
  case 422: return INVALID;
  case 413: return TOO_LARGE;
  case 429: return THROTTLED;
  case 408:
  case 504: return TIMEOUT;
  case 503: return later ? THROTTLED : BAD_ANSWER;
  default: return BAD_ANSWER;
  }
}

/* The Status object of a refusal, or NULL. */
static json_t *read_status(const struct http_answer *answer)
{
  struct reason ignored;
  if (answer->body_len > STATUS_MAX_BYTES || answer->body[0] != '{') return NULL;
  return json_read(answer->body, answer->body_len, &ignored);
}

enum status kube_status(const struct http_answer *answer, const char *method, struct reason *why)
{
  char header[64];
  if (answer->status >= 200 && answer->status < 300) return OK;
  json_t *status = read_status(answer);
  const char *message = json_text_at(status, "message", NULL);
  bool later = http_header(answer, "Retry-After", header, sizeof header)[0] != '\0';
  enum status code =
    code_of(answer->status, method, json_text_at(status, "reason", NULL), later);
  if (*message) reason_set(why, code, "%s", message);
  else reason_set(why, code, "HTTP %d", answer->status);
  why->http_status = answer->status;
  if (code == THROTTLED) why->retry_after = retry_after(answer, status);
  json_decref(status);
  return code;
}
