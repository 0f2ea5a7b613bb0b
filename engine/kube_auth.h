/* kube_auth.h - the credentials of the moment.
 *
 *   STALE --files are read, a command is run--> FRESH --time passes, or a 401--> STALE
 *                                   |
 *                                   +--> FAILED for a moment, unless older ones are still good
 *
 * Files that the kubeconfig names are read again every minute; a command's answer lasts until it
 * expires. After a 401 all of it is read again, the kubeconfig itself too. Files are small and read
 * where they are needed: a detour through a thread would make a state of what takes microseconds. */
#ifndef ENGINE_KUBE_AUTH_H
#define ENGINE_KUBE_AUTH_H

#include "http.h"
#include "kubeconfig.h"

struct kube_auth;

struct kube_credentials {
  const char *authorization;       /* a header, or NULL */
  struct http_tls tls;
  const struct kubeconfig *config; /* url, connect_to, host, proxy */
  unsigned generation;
};

enum auth_state { AUTH_READY, AUTH_WAIT, AUTH_FAILED };

/* Something that had to be waited for has ended: ask again. */
typedef void kube_auth_cb(void *data);

/* NULL with `why`, also when a file that is named cannot be read. */
struct kube_auth *kube_auth_new(uv_loop_t *loop, const char *kubeconfig, const char *master,
  kube_auth_cb *on_change, void *data, struct reason *why);

/* Nothing is called any more. */
void kube_auth_free(struct kube_auth *auth);

/* READY: `out` is borrowed until the next call. WAIT: on_change comes. FAILED: `why`. */
enum auth_state kube_auth_get(
  struct kube_auth *auth, struct kube_credentials *out, struct reason *why);

/* Borrowed until the next of the others' calls. */
const struct kubeconfig *kube_auth_config(const struct kube_auth *auth);

/* The server did not accept what was of this generation. */
void kube_auth_refused(struct kube_auth *auth, unsigned generation);

#endif
