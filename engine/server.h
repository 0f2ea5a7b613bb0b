/* server.h - an HTTP/1.1 server on the loop: libmicrohttpd, driven through its epoll descriptor.
 *
 * Serves health and metrics of the engine, and the API of the embedded cluster. Read timeout 5 s for
 * a request (10 s however its bytes trickle), body at most 4 MiB, at most 512 connections. */
#ifndef ENGINE_SERVER_H
#define ENGINE_SERVER_H

#include "buf.h"

#include <stdbool.h>
#include <uv.h>

struct server;
struct server_exchange; /* one request and the answer it waits for */

struct server_request {
  const char *method, *path;      /* path without the query, percent-decoded */
  const char *query;              /* raw, without "?"; "" when there is none */
  const char *body;
  size_t body_len;
  struct server_exchange *exchange;
};

/* Called once per request when its body is complete. Answer at once or later, exactly once. */
typedef void server_cb(void *data, const struct server_request *request);

struct server_tls {
  const char *cert, *key;         /* PEM texts; read once, when the server starts */
};

/* `tls` is NULL for plain HTTP. */
struct server *server_new(uv_loop_t *loop, const char *address, int port, const struct server_tls *tls,
  server_cb *on_request, void *data, struct reason *why);
int server_port(const struct server *server);   /* the real one when 0 was asked for */

/* Closes every connection; no callback fires any more, and no exchange is valid. Not from inside
 * on_request. */
void server_free(struct server *server);

/* `headers`: "Name: value" lines ended by NULL, may be NULL. The body is copied. */
void server_answer(struct server_exchange *x, int status, const char *const *headers, const char *body, size_t len);

/* A chunked answer without an end: write to it until server_end. on_close fires once when the peer
 * leaves or server_end was called; after it `x` is not valid. */
void server_stream(struct server_exchange *x, int status, const char *const *headers,
  void (*on_close)(void *data), void *data);
void server_write(struct server_exchange *x, const char *bytes, size_t len);
void server_end(struct server_exchange *x);

/* For fault specs: the connection is closed without an answer; half of the body is sent and then it is
 * closed; nothing is ever answered. */
enum server_fault { SERVER_RESET, SERVER_TRUNCATE, SERVER_SILENCE };
void server_fail(struct server_exchange *x, enum server_fault fault, const char *body, size_t len);

/* The header of the request, or NULL. */
const char *server_header(struct server_exchange *x, const char *name);

#endif
