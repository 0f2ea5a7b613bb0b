#include "lua_kube_read.h"

#include "bind_job.h"
#include "json.h"
#include "lua_json.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PATH_MAX_BYTES 4096

/* A request that a job waits for. */
struct reading {
  struct wait wait;
  struct kube_request *request;
};

static void cancel(struct wait *wait)
{
  struct reading *reading = (struct reading *)wait; /* its first member */
  kube_cancel(reading->request);
  free(reading);
}

static int push_json(lua_State *L, const void *value)
{
  lua_json_push(L, value);
  return 1;
}

static void on_answer(void *data, const char *body, size_t len, const struct reason *failure)
{
  struct reading *reading = data;
  struct job_ticket ticket = reading->wait.ticket;
  struct reason why = { .code = OK };
  json_t *value = NULL;
  wait_remove(&reading->wait);
  free(reading);
  if (failure) why = *failure;
  else value = json_read(body, len, &why);
  if (why.code == THROTTLED) sched_throttled(ticket.job, why.retry_after);
  if (!value && !failure) why.code = BAD_ANSWER;
  if (why.code) job_wake(ticket, bind_push_reason, &why);
  else job_wake(ticket, push_json, value);
  json_decref(value);
}

/* Below the API's own prefixes, escaped, and with no way out of them. */
static bool is_path(const char *path)
{
  const char *query = strchr(path, '?');
  size_t len = query ? (size_t)(query - path) : strlen(path);
  if (strncmp(path, "/api/", 5) != 0 && strncmp(path, "/apis/", 6) != 0) return false;
  if (strlen(path) > PATH_MAX_BYTES || path[len - 1] == '/') return false;
  for (const char *c = path; *c; c++) {
    if (*c <= ' ' || *c >= 0x7f || *c == '#' || *c == '\\') return false;
  }
  for (const char *part = path; part && part < path + len; part = strchr(part + 1, '/')) {
    if (!strncmp(part, "//", 2) || !strncmp(part, "/.", 2) || !strncasecmp(part, "/%2e", 4)) return false;
  }
  return true;
}

int l_kube_read(lua_State *L)
{
  struct reason why = { .code = OK };
  const char *path = luaL_checkstring(L, 1);
  struct job *job = bind_job(L);
  struct run *run = sched_left_behind(job) ? NULL : engine_of(L)->run;
  if (!run) return bind_failf(L, CANCELLED, "the engine is stopped");
  if (!is_path(path)) return bind_failf(L, INVALID, "not a path below /api/ or /apis/");
  struct reading *reading = calloc(1, sizeof *reading);
  if (!reading) return bind_failf(L, NO_MEMORY, "no memory for a request");
  struct kube_call call = { .method = "GET", .path = path };
  reading->request = kube_start(run->kube, &call, on_answer, reading, &why);
  if (!reading->request) {
    free(reading);
    return bind_fail(L, &why);
  }
  wait_add(&run->waits, &reading->wait, job, cancel);
  return job_await(L);
}
