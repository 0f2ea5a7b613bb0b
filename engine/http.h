/* http.h - an HTTP client on the loop: libcurl multi over libuv.
 *
 * One client per process shares connections. No operation completes inside the
 * call that starts it; callbacks come from the loop, exactly once per request,
 * and never after http_cancel or http_free. Certificates are verified unless
 * the request says otherwise. Everything is bounded: time, header and body. */
#ifndef ENGINE_HTTP_H
#define ENGINE_HTTP_H

#include "buf.h"

#include <stdbool.h>
#include <uv.h>

struct http;
struct http_request;

/* All members may be NULL or false. Paths and PEM texts are copied by http_start. */
struct http_tls {
  bool insecure;              /* no verification of the peer */
  const char *ca_pem;         /* trusted authorities; otherwise the system's */
  const char *ca_file;
  const char *cert_pem, *key_pem;
};

struct http_options {
  const char *method;             /* default GET */
  const char *url;                /* http and https only */
  const char *const *headers;     /* "Name: value", ended by NULL; control characters are refused */
  const char *body;
  size_t body_len;
  long timeout_ms;                /* the whole exchange; 0: no limit (streams) */
  long idle_ms;                   /* no byte received for so long ends it with TIMEOUT; 0: no limit */
  size_t max_body;                /* default 16 MiB; for a stream there is no limit */
  bool http1;                     /* writes: HTTP/1.1 (HTTP/2 of this libcurl was seen to lose bodies) */
  bool follow;                    /* follow up to 10 redirects, to http and https only */
  const struct http_tls *tls;
  const char *proxy;              /* NULL: from the environment, for this machine none; "": none */
  const char *connect_to;         /* "host:port:other:port": where that host really is; or NULL */
};

struct http_answer {
  int status;
  const char *body;               /* NUL-terminated; "" for a stream */
  size_t body_len;
  const char *headers;            /* "Name: value\n" lines of the final response */
};

/* `answer` is NULL when there was none, and then `why` says why. Both are valid during the call only. */
typedef void http_done_cb(void *data, const struct http_answer *answer, const struct reason *why);

/* Bytes of a 2xx response as they arrive; false ends the request with CANCELLED. */
typedef bool http_data_cb(void *data, const char *bytes, size_t len);

struct http *http_new(uv_loop_t *loop, struct reason *why);

/* Cancels whatever is under way without a callback. Run the loop once more before closing it. */
void http_free(struct http *http);

/* Everything in `options` is copied. `on_data` NULL collects the body for `on_done`. NULL with `why` when
 * the options are wrong. */
struct http_request *http_start(struct http *http, const struct http_options *options,
  http_data_cb *on_data, http_done_cb *on_done, void *data, struct reason *why);

void http_cancel(struct http_request *request);

/* The value of a header (name compared without case), or "" ; valid as long as `answer`. Copied to `out`. */
const char *http_header(const struct http_answer *answer, const char *name, char *out, size_t size);

/* How many requests are under way, streams not counted; for tests and virtual time. */
size_t http_pending(const struct http *http);

#endif
