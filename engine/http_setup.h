/* http_setup.h - the options of a request, checked and given to a curl handle. */
#ifndef ENGINE_HTTP_SETUP_H
#define ENGINE_HTTP_SETUP_H

#include "http.h"

#include <curl/curl.h>

/* The lists must live as long as the handle. */
struct http_lists {
  struct curl_slist *headers, *connect_to;
};

/* `max_body` 0 stands for a stream. On failure the lists are the caller's to free too. */
enum status must_check http_setup(
  CURL *easy, const struct http_options *options, struct http_lists *lists, struct reason *why);
void http_lists_free(struct http_lists *lists);

/* Takes out of a message of curl's how long it took: the same failure has the same text. */
void http_tidy(char *text);

#endif
