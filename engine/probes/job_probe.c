/* A plain check of job.c: no loop, no network. */
#include "job.h"
#include "reason.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t used, cap = 1u << 20;
static long fail_in = -1;
static struct job_ticket parked;
static enum job_end last;
static char said[200];
static int ends;

static void *capped(void *ud, void *p, size_t old, size_t size)
{
  (void)ud;
  if (!p) old = 0;
  if (size > old && used + (size - old) > cap) return NULL;
  if (size > old && fail_in >= 0 && fail_in-- == 0) { fail_in = 0; return NULL; }
  if (!size) { free(p); used -= old; return NULL; }
  void *q = realloc(p, size);
  if (q) used += size - old;
  return q;
}

static void on_end(struct job *job, enum job_end end, const char *what)
{
  (void)job;
  last = end;
  ends++;
  snprintf(said, sizeof said, "%s", what ? what : "");
}

static int push_text(lua_State *L, const void *text) { lua_pushstring(L, text); return 1; }
static int push_huge(lua_State *L, const void *blob) { lua_pushlstring(L, blob, 4u << 20); return 1; }
static int l_fetch(lua_State *L) { parked = job_ticket(job_self(L)); return job_await(L); }

static void run(lua_State *L, struct job *job, const char *code)
{
  if (luaL_loadbufferx(L, code, strlen(code), "=probe", "t")) abort();
  job_start(job, L);
}

int main(void)
{
  static char blob[4u << 20];
  struct job job;
  lua_State *L = lua_newstate(capped, NULL);
  luaL_openlibs(L);
  lua_register(L, "fetch", l_fetch);
  *(struct job **)lua_getextraspace(L) = NULL;
  job_init(&job, 50000000u, on_end);

  run(L, &job, "local a = fetch() error('got ' .. a, 0)");
  CHECK(job.state == JOB_WAITING && ends == 0);
  struct job_ticket first = parked;
  CHECK(job_wake(first, push_text, "42"));
  CHECK(last == JOB_FAILED && !strcmp(said, "got 42"));
  CHECK(!job_wake(first, push_text, "again"));            /* stale: no-op */

  run(L, &job, "while true do pcall(function() while true do end end) end");
  CHECK(last == JOB_OVERRUN);                              /* pcall cannot hold it */

  run(L, &job, "xpcall(function() while true do end end, function() while true do end end)");
  CHECK(last == JOB_OVERRUN);

  run(L, &job, "table.sort({3,2,1}, function() while true do end end)");
  CHECK(last == JOB_OVERRUN);                              /* not yieldable: repeated error */

  run(L, &job, "local s = fetch() return #s");
  CHECK(job_wake(parked, push_huge, blob));
  CHECK(last == JOB_NOMEM);                                /* not abort() */

  run(L, &job, "fetch()");
  job_cancel(&job);
  CHECK(!job_wake(parked, push_text, "late"));             /* cancelled: no-op */

  run(L, &job, "return pcall(table.sort, {2, 1}, function() fetch() end)");
  CHECK(last == JOB_OK);                                   /* cannot park there: error, not crash */
  run(L, &job, "error(select(2, coroutine.resume(coroutine.create(function() while true do end end))), 0)");
  CHECK(last == JOB_FAILED && strstr(said, "coroutines of its own"));

  long n = 0; /* the SQLite loop: fail the n-th allocation and all later ones */
  for (bool failed = true; failed; n++) {
    struct job tight;
    job_init(&tight, 50000000u, on_end);
    if (luaL_loadstring(L, "local t = {} for i = 1, 9 do t[i] = {i} end fetch()")) abort();
    fail_in = n;
    job_start(&tight, L);
    failed = fail_in == 0;
    fail_in = -1;
    job_cancel(&tight);
  }
  lua_close(L);
  CHECK(used == 0);
  printf("job: %d ends, %ld allocation failures survived\n", ends, n - 1);
  return 0;
}
