/* kube_exec.h - credentials from a command, as a kubeconfig's `exec` asks for them.
 *
 *   RUNNING --ends, or is killed after 60 s--> ENDED
 *
 * The command gets no input; what it writes is bounded. It runs in a process group of its own,
 * which is killed as a whole. */
#ifndef ENGINE_KUBE_EXEC_H
#define ENGINE_KUBE_EXEC_H

#include "kubeconfig.h"

#include <uv.h>

struct kube_exec;

/* What a command answered; texts are NULL when it did not give them. */
struct exec_credential {
  const char *token, *cert_pem, *key_pem;
  double expires_in; /* seconds from now on; less than 0: the command did not say */
};

/* Either `credential` or `why` is NULL. Both are valid during the call only. */
typedef void kube_exec_cb(
  void *data, const struct exec_credential *credential, const struct reason *why);

/* Calls back once, from the loop. `config` is needed during the call only. */
struct kube_exec *kube_exec_start(uv_loop_t *loop, const struct kubeconfig *config,
  kube_exec_cb *on_end, void *data, struct reason *why);

/* Kills it; no callback follows. Not after the callback. */
void kube_exec_stop(struct kube_exec *exec);

#endif
