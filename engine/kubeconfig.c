#include "kubeconfig.h"

#include "digest.h"
#include "yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES (1u << 20)
#define EXEC_GROUP     "client.authentication.k8s.io/"
#define SPACE          " \t\r\n"

/* Texts ---------------------------------------------------------------------------------------- */

static enum status no_memory(struct reason *why)
{
  return reason_set(why, NO_MEMORY, "no memory for the credentials");
}

static enum status read_all(const char *path, struct buf *out, struct reason *why)
{
  char bytes[4096];
  FILE *file = fopen(path, "re");
  if (!file) return reason_set(why, INVALID, "cannot read %.150s: %s", path, strerror(errno));
  enum status status = OK;
  for (size_t n; !status && (n = fread(bytes, 1, sizeof bytes, file));) status = buf_add(out, bytes, n);
  if (status == TOO_LARGE) reason_set(why, status, "%.150s has more than %zu bytes", path, out->max);
  else if (status) no_memory(why);
  else if (ferror(file))
    status = reason_set(why, INVALID, "cannot read %.150s: %s", path, strerror(errno));
  fclose(file);
  return status;
}

char *kubeconfig_file(const char *path, struct reason *why)
{
  struct buf text;
  char *out = NULL;
  buf_init(&text, FILE_MAX_BYTES);
  enum status status = read_all(path, &text, why);
  if (!status) {
    const char *start = text.data ? text.data + strspn(text.data, SPACE) : "";
    size_t len = strlen(start);
    while (len && strchr(SPACE, start[len - 1])) len--;
    out = len ? strndup(start, len) : NULL;
    if (!len) reason_set(why, INVALID, "%.150s is empty", path);
    else if (!out) no_memory(why);
  }
  buf_close(&text);
  return out;
}

/* Fields --------------------------------------------------------------------------------------- */

/* What is being read: "FILE: user 'x'". */
struct place {
  const char *path, *kind, *name;
  struct reason *why;
};

static enum status wrong(
  const struct place *at, const char *field, const char *expected, const char *found)
{
  const char *path = at->path;
  size_t len = strlen(path);
  if (len > 100) path += len - 100;
  if (!at->kind)
    return reason_set(at->why, INVALID, "%s: %s: expected %s, found %s", path, field, expected, found);
  return reason_set(at->why, INVALID, "%s: %s '%.60s': %s: expected %s, found %s", path, at->kind,
    at->name, field, expected, found);
}

static const char *type_of(const json_t *value)
{
  static const char *const names[] = { "a map", "a list", "a text", "a number", "a number", "true",
    "false", "nothing" };
  return value ? names[json_typeof(value)] : "nothing";
}

/* The text in a field, borrowed; NULL when it is absent, null or "". */
static enum status text_of(
  const struct place *at, const json_t *map, const char *field, const char **out)
{
  const json_t *value = json_object_get(map, field);
  *out = json_string_value(value);
  if (value && !json_is_null(value) && !*out) return wrong(at, field, "a text", type_of(value));
  if (*out && strlen(*out) != json_string_length(value))
    return wrong(at, field, "a text", "a text with a NUL");
  if (*out && !**out) *out = NULL;
  return OK;
}

static enum status flag_of(
  const struct place *at, const json_t *map, const char *field, bool *out)
{
  const json_t *value = json_object_get(map, field);
  *out = json_is_true(value);
  if (!value || json_is_null(value) || json_is_boolean(value)) return OK;
  return wrong(at, field, "true or false", type_of(value));
}

/* A path as the kubeconfig means it: relative to the folder it is in. */
static char *path_of(const struct place *at, const char *text)
{
  const char *slash = strrchr(at->path, '/');
  struct buf path;
  if (text[0] == '/' || !slash) return strdup(text);
  buf_init(&path, strlen(at->path) + strlen(text) + 1);
  if (buf_add(&path, at->path, (size_t)(slash - at->path) + 1) || buf_adds(&path, text))
    buf_close(&path);
  return path.data;
}

/* The PEM text that a field holds as base64. */
static enum status pem_of(const struct place *at, const char *field, const char *text, char **out)
{
  size_t len = strlen(text);
  *out = calloc(1, DIGEST_UNBASE64_SIZE(len) + 1); /* zeroed: it ends wherever decoding does */
  if (!*out) return no_memory(at->why);
  if (digest_unbase64(text, len, (unsigned char *)*out, &len))
    return wrong(at, field, "base64", "something else");
  if (strlen(*out) == len && strstr(*out, "-----BEGIN ")) return OK;
  return wrong(at, field, "PEM in base64", "base64 of something else");
}

enum form { TEXT, FILE_NAME, PEM };

struct field {
  const char *name;
  enum form form;
  size_t offset; /* in struct kubeconfig */
};

static enum status read_fields(const struct place *at, const json_t *map,
  const struct field *fields, size_t n, struct kubeconfig *config)
{
  for (size_t i = 0; i < n; i++) {
    const char *text;
    char **out = (char **)((char *)config + fields[i].offset);
    enum status status = text_of(at, map, fields[i].name, &text);
    if (!status && text && fields[i].form == PEM) status = pem_of(at, fields[i].name, text, out);
    if (status) return status;
    if (!text || fields[i].form == PEM) continue;
    *out = fields[i].form == TEXT ? strdup(text) : path_of(at, text);
    if (!*out) return no_memory(at->why);
  }
  return OK;
}

/* Exec ----------------------------------------------------------------------------------------- */

static enum status check_env(const struct place *at, const json_t *env)
{
  size_t i;
  const json_t *pair;
  if (env && !json_is_null(env) && !json_is_array(env))
    return wrong(at, "exec.env", "a list", type_of(env));
  json_array_foreach(env, i, pair) {
    const char *name, *value;
    if (!json_is_object(pair)) return wrong(at, "exec.env", "a map", type_of(pair));
    enum status status = text_of(at, pair, "name", &name);
    if (!status) status = text_of(at, pair, "value", &value);
    if (!status && (!name || strchr(name, '=')))
      status = wrong(at, "exec.env", "a name", name ? name : "nothing");
    if (status) return status;
  }
  return OK;
}

static enum status check_args(const struct place *at, const json_t *args)
{
  size_t i;
  const json_t *arg;
  if (args && !json_is_null(args) && !json_is_array(args))
    return wrong(at, "exec.args", "a list", type_of(args));
  json_array_foreach(args, i, arg) {
    if (!json_is_string(arg)) return wrong(at, "exec.args", "a text", type_of(arg));
  }
  return OK;
}

static enum status check_version(const struct place *at, const json_t *exec)
{
  const char *version, *mode;
  enum status status = text_of(at, exec, "apiVersion", &version);
  if (!status) status = text_of(at, exec, "interactiveMode", &mode);
  if (status) return status;
  bool known = version &&
    (!strcmp(version, EXEC_GROUP "v1") || !strcmp(version, EXEC_GROUP "v1beta1"));
  if (!known)
    return wrong(at, "exec.apiVersion", EXEC_GROUP "v1 or v1beta1", version ? version : "nothing");
  if (mode && !strcmp(mode, "Always"))
    return wrong(at, "exec.interactiveMode", "Never or IfAvailable", mode);
  return OK;
}

/* A name without a slash is looked for in PATH. */
static enum status read_command(
  const struct place *at, const json_t *exec, struct kubeconfig *config)
{
  const char *command;
  enum status status = text_of(at, exec, "command", &command);
  if (status) return status;
  if (!command) return wrong(at, "exec.command", "a command", "nothing");
  config->command = strchr(command, '/') ? path_of(at, command) : strdup(command);
  return config->command ? OK : no_memory(at->why);
}

/* A field of the cluster for the command, under the same name. */
static void tell(json_t *info, const json_t *cluster, const char *field)
{
  json_t *value = json_object_get(cluster, field);
  if (value && !json_is_null(value)) json_object_set(info, field, value);
}

/* The answer to "which cluster is it for"; the authority is told as data only. */
static json_t *cluster_info(const json_t *cluster, const struct kubeconfig *config)
{
  size_t i;
  json_t *info = json_object(), *extension;
  static const char *const told[] = { "tls-server-name", "insecure-skip-tls-verify",
    "certificate-authority-data", "proxy-url" };
  json_object_set_new(info, "server", json_string(config->server));
  for (i = 0; i < sizeof told / sizeof *told; i++) tell(info, cluster, told[i]);
  json_array_foreach(json_object_get(cluster, "extensions"), i, extension) {
    bool mine = !strcmp(json_text_at(extension, "name", NULL), EXEC_GROUP "exec");
    json_t *value = json_object_get(extension, "extension");
    if (mine && value) json_object_set(info, "config", value);
  }
  return info;
}

static enum status read_exec(const struct place *at, json_t *exec, const json_t *cluster,
  struct kubeconfig *config)
{
  bool told;
  if (!json_is_object(exec)) return wrong(at, "exec", "a map", type_of(exec));
  enum status status = check_version(at, exec);
  if (!status) status = check_args(at, json_object_get(exec, "args"));
  if (!status) status = check_env(at, json_object_get(exec, "env"));
  if (!status) status = flag_of(at, exec, "provideClusterInfo", &told);
  if (!status) status = read_command(at, exec, config);
  if (status) return status;
  config->exec = json_incref(exec);
  config->exec_info = json_pack("{s:O, s:s, s:{s:b}}", "apiVersion",
    json_object_get(exec, "apiVersion"), "kind", "ExecCredential", "spec", "interactive", 0);
  if (!config->exec_info) return no_memory(at->why);
  if (told)
    json_object_set_new(
      json_object_get(config->exec_info, "spec"), "cluster", cluster_info(cluster, config));
  return OK;
}

/* The file ------------------------------------------------------------------------------------- */

static enum status read_cluster(
  const struct place *at, const json_t *cluster, const char *master, struct kubeconfig *config)
{
  static const struct field fields[] = {
    { "tls-server-name",            TEXT,      offsetof(struct kubeconfig, tls_name) },
    { "proxy-url",                  TEXT,      offsetof(struct kubeconfig, proxy) },
    { "certificate-authority",      FILE_NAME, offsetof(struct kubeconfig, ca_file) },
    { "certificate-authority-data", PEM,       offsetof(struct kubeconfig, ca_pem) },
  };
  const char *server;
  struct reason cause;
  enum status status = read_fields(at, cluster, fields, sizeof fields / sizeof *fields, config);
  if (!status) status = flag_of(at, cluster, "insecure-skip-tls-verify", &config->insecure);
  if (!status) status = text_of(at, cluster, "server", &server);
  if (status) return status;
  if (master && *master) return kubeconfig_route(config, master, at->why);
  if (!server) return wrong(at, "server", "a URL", "nothing");
  status = kubeconfig_route(config, server, &cause);
  return status ? wrong(at, "server", "a URL", cause.text) : OK;
}

static enum status read_user(
  const struct place *at, const json_t *user, const json_t *cluster, struct kubeconfig *config)
{
  static const struct field fields[] = {
    { "token",                   TEXT,      offsetof(struct kubeconfig, token) },
    { "tokenFile",               FILE_NAME, offsetof(struct kubeconfig, token_file) },
    { "username",                TEXT,      offsetof(struct kubeconfig, username) },
    { "password",                TEXT,      offsetof(struct kubeconfig, password) },
    { "client-certificate",      FILE_NAME, offsetof(struct kubeconfig, cert_file) },
    { "client-certificate-data", PEM,       offsetof(struct kubeconfig, cert_pem) },
    { "client-key",              FILE_NAME, offsetof(struct kubeconfig, key_file) },
    { "client-key-data",         PEM,       offsetof(struct kubeconfig, key_pem) },
  };
  /* To ignore one of these would be to act as somebody else than was meant. */
  static const char *const refused[] = { "auth-provider", "as", "as-uid", "as-groups",
    "as-user-extra" };
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    const json_t *value = json_object_get(user, refused[i]);
    if (value && !json_is_null(value))
      return wrong(at, refused[i], "nothing, because it is not supported", type_of(value));
  }
  enum status status = read_fields(at, user, fields, sizeof fields / sizeof *fields, config);
  bool cert = config->cert_pem || config->cert_file, key = config->key_pem || config->key_file;
  json_t *exec = json_object_get(user, "exec");
  if (!status && cert && !key)
    status = wrong(at, "client-key", "the key of the certificate", "nothing");
  if (!status && key && !cert)
    status = wrong(at, "client-certificate", "the certificate of the key", "nothing");
  if (!status && exec && !json_is_null(exec)) status = read_exec(at, exec, cluster, config);
  return status;
}

/* The map under `kind` of the entry with this name in a list of such entries. */
static enum status find(struct place *at, const json_t *root, const char *list, const char *kind,
  const char *name, const json_t **out)
{
  size_t i;
  const json_t *entry, *entries = json_object_get(root, list);
  char expected[100];
  snprintf(expected, sizeof expected, "an entry named '%.60s'", name);
  if (!json_is_array(entries)) return wrong(at, list, "a list", type_of(entries));
  json_array_foreach(entries, i, entry) {
    if (strcmp(json_text_at(entry, "name", NULL), name) != 0) continue;
    at->kind = kind;
    at->name = name;
    *out = json_object_get(entry, kind);
    return json_is_object(*out) ? OK : wrong(at, kind, "a map", type_of(*out));
  }
  return wrong(at, list, expected, "none");
}

/* A context without a user, and a user without anything, are anonymous. */
static enum status read_root(
  const struct place *file, const json_t *root, const char *master, struct kubeconfig *config)
{
  struct place at = *file, cluster_at = *file, user_at = *file;
  const json_t *context = NULL, *cluster = NULL, *user = NULL;
  const char *name, *cluster_name, *user_name;
  enum status status = text_of(&at, root, "current-context", &name);
  if (status) return status;
  if (!name) return wrong(&at, "current-context", "the name of a context", "nothing");
  status = find(&at, root, "contexts", "context", name, &context);
  if (!status) status = text_of(&at, context, "cluster", &cluster_name);
  if (!status && !cluster_name) status = wrong(&at, "cluster", "the name of a cluster", "nothing");
  if (!status) status = text_of(&at, context, "user", &user_name);
  if (!status) status = find(&cluster_at, root, "clusters", "cluster", cluster_name, &cluster);
  if (!status && user_name) status = find(&user_at, root, "users", "user", user_name, &user);
  if (!status) status = read_cluster(&cluster_at, cluster, master, config);
  if (!status && user) status = read_user(&user_at, user, cluster, config);
  if (status) return status;
  config->user = strdup(user_name ? user_name : "");
  return config->user ? OK : no_memory(file->why);
}

static enum status read_file(
  struct kubeconfig *config, const char *path, const char *master, struct reason *why)
{
  struct place at = { .path = path, .why = why };
  struct reason cause;
  char *text = kubeconfig_file(path, why);
  if (!text) return why->code;
  json_t *documents = yaml_read(text, strlen(text), &cause);
  free(text);
  if (!documents) return wrong(&at, "the file", "YAML", cause.text);
  const json_t *root = json_array_get(documents, 0);
  enum status status = json_is_object(root) ? read_root(&at, root, master, config)
                                            : wrong(&at, "the file", "a map", type_of(root));
  json_decref(documents);
  return status;
}

enum status kubeconfig_read(
  struct kubeconfig *config, const char *path, const char *master, struct reason *why)
{
  struct reason cause = { .code = OK };
  *config = (struct kubeconfig){ 0 };
  enum status status = path && *path ? read_file(config, path, master, &cause)
                                     : kubeconfig_pod(config, master, &cause);
  if (!status) return OK;
  kubeconfig_close(config);
  if (why) *why = cause;
  return status;
}

/* A secret does not stay in memory that others get. */
static void wipe(char *text)
{
  if (!text) return;
  for (volatile char *c = text; *c; c++) *c = '\0';
  free(text);
}

void kubeconfig_close(struct kubeconfig *c)
{
  char *texts[] = { c->server, c->url, c->connect_to, c->host, c->tls_name, c->proxy, c->ca_pem,
    c->ca_file, c->user, c->token_file, c->username, c->cert_pem, c->cert_file, c->key_file,
    c->command };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) free(texts[i]);
  wipe(c->token);
  wipe(c->password);
  wipe(c->key_pem);
  json_decref(c->exec);
  json_decref(c->exec_info);
  *c = (struct kubeconfig){ 0 };
}
