/* kube.h - one Kubernetes API server: credentials, verbs, and its Status answers as reasons. */
#ifndef ENGINE_KUBE_H
#define ENGINE_KUBE_H

#include "http.h"
#include "json.h"

struct kube;
struct kube_request;

struct kube_options {
  const char *kubeconfig;   /* "" or NULL: in-cluster service account */
  const char *master;       /* overrides the server's URL; may be NULL */
  double qps, burst;        /* client-side rate of requests; watches do not count */
  long timeout_ms;          /* of one request; default 30000 */
};

struct kube_call {
  const char *method;       /* GET POST PATCH PUT DELETE */
  const char *path;         /* from "/", with its query, already escaped */
  const char *content_type; /* of the body; default application/json */
  const char *accept;       /* default application/json */
  const char *body;
  size_t body_len;
};

/* Success: `why` is NULL and `body` the answer's JSON text. Otherwise `why` holds code, the server's
 * message and Retry-After; `body` may still hold the Status object. Valid during the call only. */
typedef void kube_done_cb(void *data, const char *body, size_t len, const struct reason *why);

/* Reads kubeconfig (tokens, token files read again as they change, client certificates as data or
 * file, exec plugins run on the loop and cached until they expire) or the service account. */
struct kube *kube_new(uv_loop_t *loop, struct http *http, const struct kube_options *options, struct reason *why);

/* Cancels whatever is under way without a callback; not from inside one. */
void kube_free(struct kube *kube);

/* Everything in `call` is copied. A 401 makes the credentials be read again once. Reads go over HTTP/2,
 * writes over HTTP/1.1. */
struct kube_request *kube_start(struct kube *kube, const struct kube_call *call, kube_done_cb *on_done,
  void *data, struct reason *why);

/* A watch: `on_data` gets the raw bytes, `on_done` its end. No byte for idle_ms is an end (TIMEOUT). */
struct kube_request *kube_stream(struct kube *kube, const char *path, const char *accept, long idle_ms,
  http_data_cb *on_data, kube_done_cb *on_done, void *data, struct reason *why);

/* No callback follows; allowed inside its own callbacks. */
void kube_cancel(struct kube_request *request);

/* The server's URL (borrowed until the loop's next turn), and counts since the start, for /metrics: of
 * requests sent, watches too, and of those that failed. */
const char *kube_server(const struct kube *kube);
struct kube_counts { unsigned long requests, errors; };
struct kube_counts kube_counts(const struct kube *kube);

#endif
