#include "kube_auth.h"

#include "digest.h"
#include "kube_exec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MS      60000u /* files are read again after it */
#define FILES_GAP_MS  10000u /* after a failure, while older content is still good */
#define FAILURE_MS    2000u  /* a failure is believed for so long */
#define FORCED_GAP_MS 10000u /* a 401 does not run the command more often */
#define NEVER         UINT64_MAX

enum file { TOKEN, CA, CERT, KEY, FILES };

struct kube_auth {
  uv_loop_t *loop;
  char *path, *master;        /* NULL when not given */
  kube_auth_cb *on_change;
  void *data;
  struct kubeconfig config;
  char *files[FILES];         /* what was read */
  uint64_t files_due;
  struct kube_exec *exec;     /* the command runs */
  char *token, *cert, *key;   /* the command's answer */
  uint64_t exec_due, forced_at;
  bool forced;                /* the command was run again because of a 401 */
  char *authorization;
  struct reason failure;      /* until `failed_until` */
  uint64_t failed_until;
  unsigned generation;
};

/* Files ---------------------------------------------------------------------------------------- */

static void wipe(char **text)
{
  for (volatile char *c = *text; c && *c; c++) *c = '\0';
  free(*text);
  *text = NULL;
}

static void wipe_all(char *texts[], size_t n)
{
  for (size_t i = 0; i < n; i++) wipe(&texts[i]);
}

static void wipe_command(struct kube_auth *auth)
{
  wipe(&auth->token);
  wipe(&auth->cert);
  wipe(&auth->key);
}

/* All of them or none. */
static enum status read_files(struct kube_auth *auth, struct reason *why)
{
  const struct kubeconfig *c = &auth->config;
  const char *paths[FILES] = { [TOKEN] = c->token_file, [CA] = c->ca_pem ? NULL : c->ca_file,
    [CERT] = c->cert_pem ? NULL : c->cert_file, [KEY] = c->key_pem ? NULL : c->key_file };
  char *fresh[FILES] = { NULL };
  enum status status = OK;
  for (size_t i = 0; !status && i < FILES; i++) {
    if (!paths[i]) continue;
    fresh[i] = kubeconfig_file(paths[i], why);
    if (!fresh[i]) status = why->code;
    else if (i != TOKEN && !strstr(fresh[i], "-----BEGIN "))
      status = reason_set(why, INVALID, "%.150s: expected PEM, found something else", paths[i]);
  }
  if (status) {
    wipe_all(fresh, FILES);
    return status;
  }
  wipe_all(auth->files, FILES);
  for (size_t i = 0; i < FILES; i++) auth->files[i] = fresh[i];
  return OK;
}

static bool has_files(const struct kubeconfig *c)
{
  return c->token_file || c->ca_file || c->cert_file || c->key_file;
}

/* The header ----------------------------------------------------------------------------------- */

static char *basic(const struct kubeconfig *c)
{
  struct buf plain, header;
  const char *password = c->password ? c->password : "";
  buf_init(&plain, 4096);
  buf_init(&header, 8192);
  if (!buf_addf(&plain, "%s:%s", c->username, password)) {
    char text[DIGEST_BASE64_SIZE(4096)];
    digest_base64(plain.data, plain.len, text);
    if (buf_addf(&header, "Authorization: Basic %s", text)) buf_close(&header);
    for (volatile char *t = text; *t; t++) *t = '\0';
  }
  wipe(&plain.data);
  return header.data;
}

static char *bearer(const char *token)
{
  struct buf header;
  buf_init(&header, 1u << 20);
  if (buf_addf(&header, "Authorization: Bearer %s", token)) buf_close(&header);
  return header.data;
}

/* A token comes before a password, and a given token before a command's, as in client-go. */
static enum status compose(struct kube_auth *auth, struct reason *why)
{
  const struct kubeconfig *c = &auth->config;
  const char *token = auth->files[TOKEN] ? auth->files[TOKEN] : c->token ? c->token : auth->token;
  char *header = token ? bearer(token) : c->username ? basic(c) : NULL;
  if ((token || c->username) && !header)
    return reason_set(why, INVALID, "the credentials of user '%.60s' are too long", c->user);
  wipe(&auth->authorization);
  auth->authorization = header;
  auth->generation++;
  return OK;
}

/* The command ---------------------------------------------------------------------------------- */

static void keep_failure(struct kube_auth *auth, const struct reason *why)
{
  auth->failure = *why;
  auth->failed_until = uv_now(auth->loop) + FAILURE_MS;
}

static bool copied(const char *text, char **out)
{
  wipe(out);
  *out = text ? strdup(text) : NULL;
  return !text || *out;
}

/* What has expired already is used for a second: whoever waits for it must see the answer. */
static uint64_t due_in(const struct kube_auth *auth, double seconds)
{
  if (seconds < 0 || seconds > 1e9) return NEVER;
  return uv_now(auth->loop) + (uint64_t)(fmax(seconds, 1) * 1000);
}

static void on_exec_end(
  void *data, const struct exec_credential *credential, const struct reason *why)
{
  struct kube_auth *auth = data;
  struct reason cause = { .code = OK };
  auth->exec = NULL;
  if (why) cause = *why;
  else if (!copied(credential->token, &auth->token) || !copied(credential->cert_pem, &auth->cert) ||
    !copied(credential->key_pem, &auth->key))
    reason_set(&cause, NO_MEMORY, "no memory for the credentials");
  else if (!compose(auth, &cause)) auth->exec_due = due_in(auth, credential->expires_in);
  if (cause.code) keep_failure(auth, &cause);
  auth->on_change(auth->data);
}

/* Getting -------------------------------------------------------------------------------------- */

static enum status refresh_files(struct kube_auth *auth, uint64_t now, struct reason *why)
{
  bool first = !auth->generation;
  enum status status = read_files(auth, why);
  if (!status) status = compose(auth, why);
  auth->files_due = now + (status ? FILES_GAP_MS : FILES_MS);
  if (!has_files(&auth->config)) auth->files_due = NEVER;
  return first ? status : OK;
}

static enum auth_state failed(const struct kube_auth *auth, struct reason *why)
{
  *why = auth->failure;
  return AUTH_FAILED;
}

enum auth_state kube_auth_get(
  struct kube_auth *auth, struct kube_credentials *out, struct reason *why)
{
  uint64_t now = uv_now(auth->loop);
  struct reason cause = { .code = OK };
  const struct kubeconfig *c = &auth->config;
  if (now >= auth->files_due) {
    if (refresh_files(auth, now, &cause)) keep_failure(auth, &cause);
    else cause.code = OK; /* what was read before is still good */
  }
  if (c->exec && now >= auth->exec_due && !auth->exec) {
    if (now < auth->failed_until) return failed(auth, why);
    auth->exec = kube_exec_start(auth->loop, c, on_exec_end, auth, &cause);
    if (!auth->exec) keep_failure(auth, &cause);
  }
  if (auth->exec) return AUTH_WAIT;
  if (cause.code) return failed(auth, why);
  *out = (struct kube_credentials){ .authorization = auth->authorization,
    .tls = { .insecure = c->insecure, .ca_pem = c->ca_pem ? c->ca_pem : auth->files[CA] },
    .config = c,
    .generation = auth->generation };
  out->tls.cert_pem = c->cert_pem ? c->cert_pem : auth->files[CERT];
  out->tls.key_pem = c->key_pem ? c->key_pem : auth->files[KEY];
  if (!out->tls.cert_pem) {
    out->tls.cert_pem = auth->cert;
    out->tls.key_pem = auth->key;
  }
  return AUTH_READY;
}

const struct kubeconfig *kube_auth_config(const struct kube_auth *auth)
{
  return &auth->config;
}

void kube_auth_refused(struct kube_auth *auth, unsigned generation)
{
  uint64_t now = uv_now(auth->loop);
  struct kubeconfig fresh;
  if (generation != auth->generation || auth->exec) return;
  if (auth->path && !kubeconfig_read(&fresh, auth->path, auth->master, NULL)) {
    kubeconfig_close(&auth->config);
    auth->config = fresh;
  }
  auth->files_due = now;
  if (!auth->config.exec) wipe_command(auth);
  if (auth->forced && now - auth->forced_at < FORCED_GAP_MS) return;
  auth->forced = auth->config.exec != NULL;
  auth->forced_at = now;
  auth->exec_due = now;
}

/* Life ----------------------------------------------------------------------------------------- */

struct kube_auth *kube_auth_new(uv_loop_t *loop, const char *kubeconfig, const char *master,
  kube_auth_cb *on_change, void *data, struct reason *why)
{
  struct kube_auth *auth = calloc(1, sizeof *auth);
  if (!auth) {
    reason_set(why, NO_MEMORY, "no memory for the credentials");
    return NULL;
  }
  bool has_path = kubeconfig && *kubeconfig, has_master = master && *master;
  *auth = (struct kube_auth){ .loop = loop,
    .path = has_path ? strdup(kubeconfig) : NULL,
    .master = has_master ? strdup(master) : NULL,
    .on_change = on_change,
    .data = data };
  bool bad = (has_path && !auth->path) || (has_master && !auth->master);
  if (bad) reason_set(why, NO_MEMORY, "no memory for the credentials");
  else if (!kubeconfig_read(&auth->config, kubeconfig, master, why) &&
    !refresh_files(auth, uv_now(loop), why))
    return auth;
  kube_auth_free(auth);
  return NULL;
}

void kube_auth_free(struct kube_auth *auth)
{
  if (auth->exec) kube_exec_stop(auth->exec);
  kubeconfig_close(&auth->config);
  wipe_all(auth->files, FILES);
  wipe_command(auth);
  wipe(&auth->authorization);
  free(auth->path);
  free(auth->master);
  free(auth);
}
