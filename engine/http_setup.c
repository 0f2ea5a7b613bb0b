#include "http_setup.h"

#include <ctype.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define CONNECT_MS       10000L
#define MAX_REDIRECTS    10L
#define URL_MAX_BYTES    (64u << 10)
#define KEEPALIVE_IDLE_S 30L
#define KEEPALIVE_GAP_S  10L
#define UNHEARD_MS       30000 /* what was sent and not acknowledged for so long breaks a connection */

#ifndef SERIN_VERSION
#define SERIN_VERSION "0"
#endif

/* What may be said ----------------------------------------------------------------------------- */

static bool is_token(const char *text, size_t len)
{
  for (size_t i = 0; i < len; i++) {
    if (!isalnum((unsigned char)text[i]) && !strchr("!#$%&'*+-.^_`|~", text[i])) return false;
  }
  return len > 0;
}

static bool has_control(const char *text)
{
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if ((c < 0x20 && c != '\t') || c == 0x7f) return true;
  }
  return false;
}

/* Values may be secrets, so they are not repeated. */
static enum status check_header(const char *line, struct reason *why)
{
  const char *colon = strchr(line, ':');
  if (!colon || !is_token(line, (size_t)(colon - line)))
    return reason_set(why, INVALID, "a header without a proper name");
  if (has_control(colon))
    return reason_set(
      why, INVALID, "header %.*s has a control character", (int)(colon - line), line);
  return OK;
}

static bool is_loopback(const char *host)
{
  return !strcasecmp(host, "localhost") || !strncmp(host, "127.", 4) || !strcmp(host, "[::1]");
}

/* http and https with a host; tells whether that is this machine. */
static enum status check_url(const char *text, bool *loopback, struct reason *why)
{
  if (!text || !*text) return reason_set(why, INVALID, "no URL");
  if (strlen(text) > URL_MAX_BYTES) return reason_set(why, INVALID, "the URL is too long");
  if (has_control(text)) return reason_set(why, INVALID, "the URL has a control character");
  CURLU *url = curl_url();
  if (!url) return reason_set(why, NO_MEMORY, "no memory for a URL");
  char *scheme = NULL, *host = NULL;
  enum status status = OK;
  CURLUcode code = curl_url_set(url, CURLUPART_URL, text, 0);
  if (!code) code = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
  if (!code) code = curl_url_get(url, CURLUPART_HOST, &host, 0);
  if (code) status = reason_set(why, INVALID, "not a URL: %s", curl_url_strerror(code));
  else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
    status = reason_set(why, INVALID, "a URL of scheme %.20s, not http or https", scheme);
  else *loopback = is_loopback(host);
  curl_free(scheme);
  curl_free(host);
  curl_url_cleanup(url);
  return status;
}

/* Headers -------------------------------------------------------------------------------------- */

static bool append(struct curl_slist **list, const char *line)
{
  struct curl_slist *longer = curl_slist_append(*list, line);
  if (longer) *list = longer;
  return longer;
}

/* curl takes "Name:" as "do not send Name" and "Name;" as an empty value. */
static bool add_header(struct curl_slist **list, const char *line)
{
  const char *colon = strchr(line, ':');
  if (colon[1 + strspn(colon + 1, " \t")]) return append(list, line);
  struct buf empty;
  buf_init(&empty, strlen(line) + 1);
  bool good =
    !buf_add(&empty, line, (size_t)(colon - line)) && !buf_adds(&empty, ";") && append(list, empty.data);
  buf_close(&empty);
  return good;
}

static enum status set_headers(
  CURL *easy, const struct http_options *o, struct curl_slist **list, struct reason *why)
{
  bool typed = false, good = true;
  for (const char *const *line = o->headers; line && *line; line++) {
    enum status status = check_header(*line, why);
    if (status) return status;
    typed = typed || !strncasecmp(*line, "content-type:", 13);
    good = good && add_header(list, *line);
  }
  /* Neither the type that curl guesses, nor a wait for "100 Continue". */
  if (o->body && !typed) good = good && append(list, "Content-Type:");
  good = good && append(list, "Expect:");
  if (good && !curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *list)) return OK;
  return reason_set(why, NO_MEMORY, "no memory for headers");
}

/* Options -------------------------------------------------------------------------------------- */

/* The first failure is kept; later options are not tried. */
#define SET(option, value) \
  do { \
    if (!code) code = curl_easy_setopt(easy, option, value); \
  } while (0)

static CURLcode set_blob(CURL *easy, CURLoption option, const char *pem)
{
  struct curl_blob blob = { (void *)pem, strlen(pem), CURL_BLOB_COPY };
  return curl_easy_setopt(easy, option, &blob);
}

static CURLcode set_tls(CURL *easy, const struct http_tls *tls)
{
  CURLcode code = CURLE_OK;
  SET(CURLOPT_SSL_VERIFYPEER, tls->insecure ? 0L : 1L);
  SET(CURLOPT_SSL_VERIFYHOST, tls->insecure ? 0L : 2L);
  /* Named authorities are trusted instead of the system's, not besides them. As for other programs, a
   * file in the environment stands for the system's. */
  const char *bundle = tls->ca_file ? tls->ca_file : tls->ca_pem ? NULL : getenv("SSL_CERT_FILE");
  if (tls->ca_pem || (bundle && *bundle)) SET(CURLOPT_CAPATH, NULL);
  if (bundle && *bundle) SET(CURLOPT_CAINFO, bundle);
  if (tls->ca_pem && !code) code = set_blob(easy, CURLOPT_CAINFO_BLOB, tls->ca_pem);
  if (tls->cert_pem && !code) code = set_blob(easy, CURLOPT_SSLCERT_BLOB, tls->cert_pem);
  if (tls->cert_pem && tls->key_pem && !code) code = set_blob(easy, CURLOPT_SSLKEY_BLOB, tls->key_pem);
  return code;
}

static CURLcode set_body(CURL *easy, const struct http_options *o)
{
  CURLcode code = CURLE_OK;
  SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)o->body_len);
  SET(CURLOPT_COPYPOSTFIELDS, o->body ? o->body : "");
  return code;
}

/* POST without CUSTOMREQUEST, so that a 303 leads to a GET. */
static CURLcode set_method(CURL *easy, const struct http_options *o, const char *method)
{
  CURLcode code = CURLE_OK;
  bool get = !strcmp(method, "GET"), post = !strcmp(method, "POST"), head = !strcmp(method, "HEAD");
  if (o->body || post || !strcmp(method, "PUT") || !strcmp(method, "PATCH")) {
    code = set_body(easy, o);
    if (!post) SET(CURLOPT_CUSTOMREQUEST, method);
  } else if (head) {
    SET(CURLOPT_NOBODY, 1L);
  } else if (!get) {
    SET(CURLOPT_CUSTOMREQUEST, method);
  }
  return code;
}

/* A peer that vanished is found in a minute, also when we only wait for bytes; and what we start
 * must not inherit the connection. */
static int on_socket_made(void *data, curl_socket_t fd, curlsocktype purpose)
{
  unsigned unheard = UNHEARD_MS;
  (void)data;
  (void)purpose;
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unheard, sizeof unheard);
  return CURL_SOCKOPT_OK;
}

static CURLcode set_connection(CURL *easy, const struct http_options *o, bool loopback)
{
  CURLcode code = CURLE_OK;
  bool short_lived = o->timeout_ms > 0 && o->timeout_ms < CONNECT_MS;
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_QUICK_EXIT, 1L); /* a slow look-up of a name is left behind, not waited for */
  SET(CURLOPT_SOCKOPTFUNCTION, on_socket_made);
  SET(CURLOPT_TCP_KEEPALIVE, 1L);
  SET(CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
  SET(CURLOPT_TCP_KEEPINTVL, KEEPALIVE_GAP_S);
  SET(CURLOPT_CONNECTTIMEOUT_MS, short_lived ? o->timeout_ms : CONNECT_MS);
  SET(CURLOPT_TIMEOUT_MS, o->timeout_ms > 0 ? o->timeout_ms : 0L);
  SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (o->proxy) SET(CURLOPT_PROXY, o->proxy);
  else if (loopback) SET(CURLOPT_PROXY, "");
  return code;
}

static CURLcode set_protocol(CURL *easy, const struct http_options *o, bool collected)
{
  CURLcode code = CURLE_OK;
  SET(CURLOPT_URL, o->url);
  SET(CURLOPT_PROTOCOLS_STR, "http,https");
  SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  SET(CURLOPT_FOLLOWLOCATION, o->follow ? 1L : 0L);
  SET(CURLOPT_MAXREDIRS, MAX_REDIRECTS);
  SET(CURLOPT_HTTP_VERSION, o->http1 ? (long)CURL_HTTP_VERSION_1_1 : (long)CURL_HTTP_VERSION_2TLS);
  SET(CURLOPT_PIPEWAIT, o->http1 ? 0L : 1L);
  SET(CURLOPT_USERAGENT, "serin/" SERIN_VERSION);
  if (collected) SET(CURLOPT_ACCEPT_ENCODING, "");
  return code;
}

static CURLcode set_connect_to(CURL *easy, const struct http_options *o, struct curl_slist **list)
{
  if (!o->connect_to) return CURLE_OK;
  if (!append(list, o->connect_to)) return CURLE_OUT_OF_MEMORY;
  return curl_easy_setopt(easy, CURLOPT_CONNECT_TO, *list);
}

enum status http_setup(
  CURL *easy, const struct http_options *o, struct http_lists *lists, struct reason *why)
{
  static const struct http_tls plain = { 0 };
  const char *method = o->method ? o->method : "GET";
  bool loopback = false;
  enum status status = check_url(o->url, &loopback, why);
  if (!status && !is_token(method, strlen(method)))
    status = reason_set(why, INVALID, "not a method of HTTP");
  if (!status) status = set_headers(easy, o, &lists->headers, why);
  if (status) return status;
  CURLcode code = set_protocol(easy, o, o->max_body > 0);
  if (!code) code = set_connection(easy, o, loopback);
  if (!code) code = set_connect_to(easy, o, &lists->connect_to);
  if (!code) code = set_method(easy, o, method);
  if (!code) code = set_tls(easy, o->tls ? o->tls : &plain);
  if (!code) return OK;
  return reason_set(why, code == CURLE_OUT_OF_MEMORY ? NO_MEMORY : INVALID,
    "a request that cannot be made: %s", curl_easy_strerror(code));
}

void http_lists_free(struct http_lists *lists)
{
  curl_slist_free_all(lists->headers);
  curl_slist_free_all(lists->connect_to);
}

/* "Failed to connect to x port 1 after 7 ms: ..." would differ each time. */
void http_tidy(char *text)
{
  char *after = strstr(text, " after ");
  if (!after) return;
  char *rest = after + 7 + strspn(after + 7, "0123456789");
  if (strncmp(rest, " ms", 3) != 0) return;
  memmove(after, rest + 3, strlen(rest + 3) + 1);
}
