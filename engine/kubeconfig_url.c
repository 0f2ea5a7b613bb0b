/* The URL of the API server, and the service account of a pod. */
#include "kubeconfig.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ACCOUNT_DIR    "/var/run/secrets/kubernetes.io/serviceaccount"
#define TEXT_MAX_BYTES 8192

static enum status no_memory(struct reason *why)
{
  return reason_set(why, NO_MEMORY, "no memory for the server's URL");
}

/* A text of its own, with three parts in a row. */
static char *joined(const char *a, const char *b, const char *c)
{
  struct buf text;
  buf_init(&text, TEXT_MAX_BYTES);
  if (buf_addf(&text, "%s%s%s", a, b, c)) buf_close(&text);
  return text.data;
}

/* The certificate is for another name: requests name that, and connect to the real host. */
static enum status route_by_name(struct kubeconfig *config, struct reason *why)
{
  const char *authority = config->server + strlen("https://");
  size_t len = strcspn(authority, "/");
  const char *bracket = authority[0] == '[' ? strchr(authority, ']') : NULL;
  const char *colon = strchr(bracket ? bracket : authority, ':');
  bool has_port = colon && colon < authority + len;
  int host_len = (int)(has_port ? (size_t)(colon - authority) : len);
  int port_len = has_port ? (int)(authority + len - colon - 1) : 3;
  const char *port = has_port ? colon + 1 : "443";
  struct buf url, connect_to, host;
  buf_init(&url, TEXT_MAX_BYTES);
  buf_init(&connect_to, TEXT_MAX_BYTES);
  buf_init(&host, TEXT_MAX_BYTES);
  enum status status =
    buf_addf(&url, "https://%s:%.*s%s", config->tls_name, port_len, port, authority + len);
  if (!status)
    status = buf_addf(&connect_to, "%s:%.*s:%.*s:%.*s", config->tls_name, port_len, port, host_len,
      authority, port_len, port);
  if (!status) status = buf_addf(&host, "Host: %.*s", (int)len, authority);
  config->url = url.data;
  config->connect_to = connect_to.data;
  config->host = host.data;
  return status ? no_memory(why) : OK;
}

enum status kubeconfig_route(struct kubeconfig *config, const char *server, struct reason *why)
{
  const char *rest = strstr(server, "://");
  bool secure = config->insecure || config->ca_pem || config->ca_file;
  bool http = !strncmp(server, "http://", 7), https = !strncmp(server, "https://", 8);
  if (rest && !http && !https)
    return reason_set(why, INVALID, "the URL %.100s, which is neither http nor https", server);
  const char *host = rest ? rest + 3 : server;
  if (!host[0] || strchr("/:", host[0]) || strpbrk(host, "@?# \t\r\n\\"))
    return reason_set(why, INVALID, "the URL %.100s, which is no host with a path", server);
  if (config->tls_name && strpbrk(config->tls_name, "@?# \t\r\n\\/:"))
    return reason_set(why, INVALID, "a tls-server-name that is no name");
  if (strlen(server) > TEXT_MAX_BYTES / 2)
    return reason_set(why, INVALID, "a URL that is too long");
  config->server = joined(rest ? "" : secure ? "https://" : "http://", server, "");
  if (!config->server) return no_memory(why);
  for (size_t n = strlen(config->server); config->server[n - 1] == '/';) config->server[--n] = '\0';
  if (config->tls_name && !strncmp(config->server, "https://", 8)) return route_by_name(config, why);
  config->url = strdup(config->server);
  return config->url ? OK : no_memory(why);
}

/* In a pod ------------------------------------------------------------------------------------- */

static enum status pod_server(struct kubeconfig *config, struct reason *why)
{
  const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
  char server[512];
  if (!host || !*host || !port || !*port)
    return reason_set(why, INVALID,
      "no kubeconfig was given, and this is no pod: KUBERNETES_SERVICE_HOST and "
      "KUBERNETES_SERVICE_PORT are not set");
  bool bare = strchr(host, ':') && host[0] != '[';
  snprintf(
    server, sizeof server, "https://%s%.250s%s:%.20s", bare ? "[" : "", host, bare ? "]" : "", port);
  return kubeconfig_route(config, server, why);
}

enum status kubeconfig_pod(struct kubeconfig *config, const char *master, struct reason *why)
{
  const char *asked = getenv("SERIN_SERVICEACCOUNT_DIR");
  const char *dir = asked && *asked ? asked : ACCOUNT_DIR;
  bool other = master && *master;
  config->user = joined("system:serviceaccount", "", "");
  config->token_file = joined(dir, "/", "token");
  config->ca_file = joined(dir, "/", "ca.crt");
  if (!config->user || !config->token_file || !config->ca_file) return no_memory(why);
  if (other && access(config->ca_file, R_OK)) {
    free(config->ca_file);
    config->ca_file = NULL;
  }
  if (other && access(config->token_file, R_OK)) {
    free(config->token_file);
    config->token_file = NULL;
  }
  return other ? kubeconfig_route(config, master, why) : pod_server(config, why);
}
