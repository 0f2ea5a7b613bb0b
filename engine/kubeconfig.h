/* kubeconfig.h - where the API server is and who we are, as a kubeconfig or a pod's service account
 * says.
 *
 * Nothing here waits or remembers. Texts are NULL when they are not given; files named in a
 * kubeconfig are relative to it. Where a text and a file say the same, as PEM the text counts, as a
 * token the file. */
#ifndef ENGINE_KUBECONFIG_H
#define ENGINE_KUBECONFIG_H

#include "json.h"

#include <stdbool.h>

struct kubeconfig {
  char *server;                       /* as it was given, without a slash at its end */
  char *url;                          /* what requests begin with */
  char *connect_to, *host;            /* of http_options, and a header; for a tls-server-name */
  char *tls_name, *proxy;
  bool insecure;
  char *ca_pem, *ca_file;
  char *user;                         /* its name, for messages */
  char *token, *token_file, *username, *password;
  char *cert_pem, *cert_file, *key_pem, *key_file;
  json_t *exec;                       /* checked: command, args, env and apiVersion are as they must */
  char *command;                      /* of exec, as a path if it is one */
  json_t *exec_info;                  /* what the command is told */
};

/* `path` "" or NULL: the service account. `master` replaces the URL; then a service account may be
 * missing. `config` is to be closed on success only. */
enum status must_check kubeconfig_read(
  struct kubeconfig *config, const char *path, const char *master, struct reason *why);
void kubeconfig_close(struct kubeconfig *config);

/* A whole small file, without the space around it. NULL with `why`, which names the file. */
char *kubeconfig_file(const char *path, struct reason *why);

/* URL, connect_to and host of a config (kubeconfig_url.c); `why` names what is wrong with it. */
enum status must_check kubeconfig_route(
  struct kubeconfig *config, const char *server, struct reason *why);

/* The service account (kubeconfig_url.c); `config` is closed by the caller. */
enum status must_check kubeconfig_pod(
  struct kubeconfig *config, const char *master, struct reason *why);

#endif
