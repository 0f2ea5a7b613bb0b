#include "kube_exec.h"

#include "rfc3339.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS     60000
#define LEFTOVER_MS     1000 /* a child that the command left behind may hold its output open */
#define OUT_MAX_BYTES   (1u << 20)
#define ERR_MAX_BYTES   4096
#define INFO_MAX_BYTES  (1u << 20)
#define CHUNK_BYTES     4096

struct stream {
  uv_pipe_t pipe;
  struct kube_exec *exec;
  struct buf text;
  bool ended;
  char chunk[CHUNK_BYTES];
};

/* Freed when the last of its handles is closed. */
struct kube_exec {
  uv_process_t process;
  uv_timer_t timer;
  struct stream out, err;
  unsigned handles;
  bool exited, told;
  int64_t exit_status;
  int signal;
  char *command, *version, *user;
  kube_exec_cb *on_end;
  void *data;
};

/* Life ----------------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
  struct kube_exec *exec = handle->data;
  if (--exec->handles) return;
  buf_close(&exec->out.text);
  buf_close(&exec->err.text);
  free(exec->command);
  free(exec->version);
  free(exec->user);
  free(exec);
}

static void close_handle(struct kube_exec *exec, uv_handle_t *handle)
{
  handle->data = exec;
  if (!uv_is_closing(handle)) uv_close(handle, on_closed);
}

/* All but the process, which is waited for so that it is no zombie. */
static void close_rest(struct kube_exec *exec)
{
  close_handle(exec, (uv_handle_t *)&exec->timer);
  close_handle(exec, (uv_handle_t *)&exec->out.pipe);
  close_handle(exec, (uv_handle_t *)&exec->err.pipe);
  if (exec->exited) close_handle(exec, (uv_handle_t *)&exec->process);
}

static void kill_group(struct kube_exec *exec)
{
  if (!exec->exited) kill(-exec->process.pid, SIGKILL);
}

void kube_exec_stop(struct kube_exec *exec)
{
  exec->told = true;
  kill_group(exec);
  close_rest(exec);
}

/* The answer ----------------------------------------------------------------------------------- */

static enum status broken(const struct kube_exec *exec, struct reason *why, const char *what)
{
  return reason_set(why, INVALID, "the command %.80s of user '%.60s' %s", exec->command,
    exec->user, what);
}

static const char *text_in(const json_t *status, const char *field)
{
  const char *text = json_text_at(status, field, NULL);
  return *text ? text : NULL;
}

static enum status read_expiry(const struct kube_exec *exec, const json_t *status,
  struct exec_credential *credential, struct reason *why)
{
  const char *text = text_in(status, "expirationTimestamp");
  struct timespec now;
  double seconds;
  credential->expires_in = -1;
  if (!text) return OK;
  if (!rfc3339_read(text, &seconds))
    return broken(exec, why, "gave an expirationTimestamp that is no time");
  clock_gettime(CLOCK_REALTIME, &now);
  credential->expires_in = seconds - ((double)now.tv_sec + (double)now.tv_nsec / 1e9);
  if (credential->expires_in < 0) credential->expires_in = 0;
  return OK;
}

/* `credential` borrows from `answer`. */
static enum status read_credential(const struct kube_exec *exec, const json_t *answer,
  struct exec_credential *credential, struct reason *why)
{
  const json_t *status = json_at(answer, "status", NULL);
  if (strcmp(json_text_at(answer, "kind", NULL), "ExecCredential") != 0)
    return broken(exec, why, "answered with something else than an ExecCredential");
  if (strcmp(json_text_at(answer, "apiVersion", NULL), exec->version) != 0)
    return broken(exec, why, "answered with another apiVersion than it was asked for");
  *credential = (struct exec_credential){ .token = text_in(status, "token"),
    .cert_pem = text_in(status, "clientCertificateData"),
    .key_pem = text_in(status, "clientKeyData") };
  if (!credential->cert_pem != !credential->key_pem)
    return broken(exec, why, "gave only one of clientCertificateData and clientKeyData");
  if (!credential->token && !credential->cert_pem)
    return broken(exec, why, "gave neither a token nor a certificate");
  return read_expiry(exec, status, credential, why);
}

static void tell(struct kube_exec *exec, const struct exec_credential *credential,
  const struct reason *why)
{
  kube_exec_cb *on_end = exec->on_end;
  void *data = exec->data;
  exec->told = true;
  close_rest(exec); /* the memory lasts until the loop's next turn */
  on_end(data, credential, why);
}

static void tell_answer(struct kube_exec *exec)
{
  struct reason why = { .code = OK }, cause;
  struct exec_credential credential;
  const struct buf *text = &exec->out.text;
  json_t *answer = json_read(text->data ? text->data : "", text->len, &cause);
  if (!answer) broken(exec, &why, text->len ? "answered with no JSON" : "answered nothing");
  else if (!read_credential(exec, answer, &credential, &why)) tell(exec, &credential, NULL);
  if (why.code) tell(exec, NULL, &why);
  json_decref(answer);
}

/* The last line that it complained with, in parentheses. */
static void add_complaint(const struct kube_exec *exec, char *out, size_t size)
{
  const struct buf *text = &exec->err.text;
  size_t len = text->len;
  while (len && strchr("\r\n ", text->data[len - 1])) len--;
  size_t start = len;
  while (start && text->data[start - 1] != '\n') start--;
  size_t used = strlen(out);
  if (len > start)
    snprintf(out + used, size - used, ": %.*s", (int)(len - start), text->data + start);
}

static void tell_failure(struct kube_exec *exec)
{
  struct reason why;
  char text[200];
  if (exec->signal) snprintf(text, sizeof text, "was ended by signal %d", exec->signal);
  else snprintf(text, sizeof text, "failed with exit code %d", (int)exec->exit_status);
  add_complaint(exec, text, sizeof text);
  broken(exec, &why, text);
  tell(exec, NULL, &why);
}

static void end(struct kube_exec *exec)
{
  if (exec->told) return;
  if (exec->exit_status || exec->signal) tell_failure(exec);
  else tell_answer(exec);
}

/* Events --------------------------------------------------------------------------------------- */

static void on_time(uv_timer_t *timer)
{
  struct kube_exec *exec = timer->data;
  struct reason why;
  if (exec->exited) {
    end(exec);
    return;
  }
  kill_group(exec);
  broken(exec, &why, "did not end within 60 s");
  why.code = TIMEOUT;
  tell(exec, NULL, &why);
}

static void look_for_end(struct kube_exec *exec)
{
  if (!exec->exited || exec->told) return;
  if (exec->out.ended && exec->err.ended) end(exec);
  else CHECK(!uv_timer_start(&exec->timer, on_time, LEFTOVER_MS, 0));
}

static void on_exit(uv_process_t *process, int64_t exit_status, int signal)
{
  struct kube_exec *exec = process->data;
  exec->exited = true;
  exec->exit_status = exit_status;
  exec->signal = signal;
  if (exec->told) close_handle(exec, (uv_handle_t *)process);
  else look_for_end(exec);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
  struct stream *stream = (struct stream *)handle; /* its first member */
  (void)suggested;
  *room = uv_buf_init(stream->chunk, CHUNK_BYTES);
}

/* Its answer must be whole; of its complaints the newest bytes count. */
static void on_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *room)
{
  struct stream *stream = (struct stream *)handle;
  struct kube_exec *exec = stream->exec;
  struct buf *text = &stream->text;
  struct reason why;
  if (n < 0) {
    stream->ended = true;
    uv_read_stop(handle);
    look_for_end(exec);
    return;
  }
  if (stream == &exec->err && text->len + (size_t)n > text->max)
    buf_shift(text, text->len < (size_t)n ? text->len : (size_t)n);
  if (!buf_add(text, room->base, (size_t)n)) return;
  if (stream == &exec->err) return;
  kill_group(exec);
  broken(exec, &why, "answered with too much");
  tell(exec, NULL, &why);
}

/* Start ---------------------------------------------------------------------------------------- */

/* "NAME=value", or NULL. */
static char *pair(const char *name, const char *value)
{
  struct buf text;
  buf_init(&text, INFO_MAX_BYTES);
  if (buf_addf(&text, "%s=%s", name, value)) buf_close(&text);
  return text.data;
}

static void free_list(char **list)
{
  for (char **item = list; list && *item; item++) free(*item);
  free(list);
}

static bool is_replaced(const json_t *added, const char *name)
{
  size_t i;
  const json_t *entry;
  if (!strcmp(name, "KUBERNETES_EXEC_INFO")) return true;
  json_array_foreach(added, i, entry) {
    if (!strcmp(json_text_at(entry, "name", NULL), name)) return true;
  }
  return false;
}

/* Our environment, what the kubeconfig adds, and what the command is told; NULL: no memory. */
static char **environment(const struct kubeconfig *config)
{
  const json_t *added = json_object_get(config->exec, "env"), *entry;
  struct buf info;
  struct reason why;
  uv_env_item_t *items = NULL;
  int count = 0;
  size_t i, n = 0;
  bool good = true;
  buf_init(&info, INFO_MAX_BYTES);
  if (json_write(config->exec_info, &info, &why) || uv_os_environ(&items, &count)) {
    buf_close(&info);
    return NULL;
  }
  char **list = calloc((size_t)count + json_array_size(added) + 2, sizeof *list);
  for (int at = 0; list && good && at < count; at++) {
    if (is_replaced(added, items[at].name)) continue;
    good = (list[n++] = pair(items[at].name, items[at].value));
  }
  json_array_foreach(added, i, entry) {
    if (!list || !good) break;
    good = (list[n++] = pair(json_text_at(entry, "name", NULL), json_text_at(entry, "value", NULL)));
  }
  if (list && good) good = (list[n++] = pair("KUBERNETES_EXEC_INFO", info.data));
  uv_os_free_environ(items, count);
  buf_close(&info);
  if (good) return list;
  free_list(list);
  return NULL;
}

/* Borrows from `config`, but for the list itself. */
static char **arguments(const struct kubeconfig *config)
{
  const json_t *args = json_object_get(config->exec, "args"), *arg;
  size_t i;
  char **list = calloc(json_array_size(args) + 2, sizeof *list);
  if (!list) return NULL;
  list[0] = config->command;
  json_array_foreach(args, i, arg) list[i + 1] = (char *)json_string_value(arg);
  return list;
}

static void stream_init(struct kube_exec *exec, struct stream *stream, size_t max, uv_loop_t *loop)
{
  stream->exec = exec;
  buf_init(&stream->text, max);
  CHECK(!uv_pipe_init(loop, &stream->pipe, 0));
  stream->pipe.data = exec;
}

static int spawn(struct kube_exec *exec, uv_loop_t *loop, char **args, char **env)
{
  uv_stdio_container_t stdio[] = {
    { .flags = UV_IGNORE },
    { .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&exec->out.pipe },
    { .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&exec->err.pipe },
  };
  uv_process_options_t options = { .exit_cb = on_exit, .file = exec->command, .args = args,
    .env = env, .flags = UV_PROCESS_DETACHED, .stdio = stdio, .stdio_count = 3 };
  int error = uv_spawn(loop, &exec->process, &options);
  exec->process.data = exec;
  if (error) {
    exec->exited = true; /* it never was */
    return error;
  }
  CHECK(!uv_timer_start(&exec->timer, on_time, PATIENCE_MS, 0));
  CHECK(!uv_read_start((uv_stream_t *)&exec->out.pipe, on_room, on_read));
  CHECK(!uv_read_start((uv_stream_t *)&exec->err.pipe, on_room, on_read));
  return 0;
}

static struct kube_exec *new_exec(uv_loop_t *loop, const struct kubeconfig *config)
{
  struct kube_exec *exec = calloc(1, sizeof *exec);
  if (!exec) return NULL;
  exec->command = strdup(config->command);
  exec->version = strdup(json_text_at(config->exec, "apiVersion", NULL));
  exec->user = strdup(config->user ? config->user : "");
  if (!exec->command || !exec->version || !exec->user) {
    free(exec->command);
    free(exec->version);
    free(exec->user);
    free(exec);
    return NULL;
  }
  stream_init(exec, &exec->out, OUT_MAX_BYTES, loop);
  stream_init(exec, &exec->err, ERR_MAX_BYTES, loop);
  CHECK(!uv_timer_init(loop, &exec->timer));
  exec->timer.data = exec;
  exec->handles = 4;
  return exec;
}

struct kube_exec *kube_exec_start(uv_loop_t *loop, const struct kubeconfig *config,
  kube_exec_cb *on_end, void *data, struct reason *why)
{
  char **args = arguments(config), **env = environment(config);
  struct kube_exec *exec = args && env ? new_exec(loop, config) : NULL;
  int error = 0;
  if (exec) {
    exec->on_end = on_end;
    exec->data = data;
    error = spawn(exec, loop, args, env);
  } else reason_set(why, NO_MEMORY, "no memory for the command %.80s", config->command);
  free(args);
  free_list(env);
  if (!error) return exec;
  const char *hint = json_text_at(config->exec, "installHint", NULL);
  reason_set(why, INVALID, "the command %.80s of user '%.60s' cannot be started: %s%s%.60s",
    exec->command, exec->user, uv_strerror(error), *hint ? "; " : "", hint);
  kube_exec_stop(exec);
  return NULL;
}
