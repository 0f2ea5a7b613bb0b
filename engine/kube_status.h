/* kube_status.h - what an answer of the API server means: a Status as a reason. */
#ifndef ENGINE_KUBE_STATUS_H
#define ENGINE_KUBE_STATUS_H

#include "http.h"

/* OK for 2xx, otherwise the code, the server's message and Retry-After in `why`. */
enum status must_check kube_status(
  const struct http_answer *answer, const char *method, struct reason *why);

#endif
