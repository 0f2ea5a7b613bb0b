#include "worker_run.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOOK_EVERY 100 /* VM instructions between two looks at the clock */

struct script_run *run_of(lua_State *L)
{
  return *(struct script_run **)lua_getextraspace(L);
}

/* Time ----------------------------------------------------------------------------------------- */

static uint64_t clock_ns(clockid_t clock)
{
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A look at the wall's clock costs no system call. As much CPU as that must have passed at least. */
void run_look(lua_State *L)
{
  struct script_run *run = run_of(L);
  uint64_t now = clock_ns(CLOCK_MONOTONIC);
  if (now < run->look_ns) return;
  uint64_t spent = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - run->start_ns;
  if (spent >= run->most_ns) {
    run->line = run_line(L, run->order.name);
    longjmp(run->leave, 1);
  }
  run->look_ns = now + (run->most_ns - spent);
}

static void count_hook(lua_State *L, lua_Debug *ar)
{
  (void)ar;
  run_look(L);
}

void run_watch(lua_State *co)
{
  lua_sethook(co, count_hook, LUA_MASKCOUNT, HOOK_EVERY);
}

static void begin_burst(struct script_run *run)
{
  uint64_t budget = run->order.budget_us * 1000ull, burst = run->order.burst_us * 1000ull;
  uint64_t left = budget > run->used_ns ? budget - run->used_ns : 0;
  run->start_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  run->look_ns = 0;
  run->most_ns = left < burst ? left : burst;
}

static void end_burst(struct script_run *run)
{
  run->used_ns += clock_ns(CLOCK_PROCESS_CPUTIME_ID) - run->start_ns;
}

/* Ends ----------------------------------------------------------------------------------------- */

int run_line(lua_State *co, const char *name)
{
  lua_Debug ar;
  for (int level = 0; lua_getstack(co, level, &ar); level++) {
    if (!lua_getinfo(co, "Sl", &ar)) return 0;
    if (ar.currentline > 0 && ar.source[0] == '=' && !strcmp(ar.source + 1, name))
      return ar.currentline;
  }
  return 0;
}

static void fail_run(struct script_run *run, enum status code, const char *text)
{
  run->state = RUN_FAILED;
  reason_set(&run->why, code, "%s", text);
}

static void fail_overrun(struct script_run *run)
{
  bool burst = run->most_ns >= run->order.burst_us * 1000ull;
  run->state = RUN_FAILED;
  reason_set(&run->why, TIMEOUT, burst ? "used %u ms of CPU without waiting, which is its limit"
                                       : "used %u ms of CPU in all, which is its limit",
    (burst ? run->order.burst_us : run->order.budget_us) / 1000);
}

/* "name:12: text" -> "text"; the line goes to run->line. */
static const char *without_place(struct script_run *run, const char *text)
{
  size_t len = strnlen(run->order.name, LUA_IDSIZE - 1); /* Lua prints no more of it */
  char *end;
  if (strncmp(text, run->order.name, len) || text[len] != ':') return text;
  long line = strtol(text + len + 1, &end, 10);
  if (end == text + len + 1 || strncmp(end, ": ", 2) || line < 1 || line > 1 << 20) return text;
  run->line = (int)line;
  return end + 2;
}

/* The error's value may be anything; nothing of the script is called to print it. */
static void fail_error(struct script_run *run, int status)
{
  const char *text =
    lua_type(run->co, -1) == LUA_TSTRING ? lua_tostring(run->co, -1) : "an error that is no text";
  run->line = run_line(run->now, run->order.name);
  text = without_place(run, text);
  run->state = RUN_FAILED;
  if (status == LUA_ERRMEM || (run->heap.refused && strstr(text, "not enough memory")))
    reason_set(&run->why, MEMORY, "needs more than the %u bytes of memory it may have",
      run->order.memory);
  else reason_set(&run->why, SCRIPT, "%s", text);
}

static void take_result(struct script_run *run)
{
  struct reason why = { .code = OK };
  run->state = RUN_DONE;
  run->owned = lua_isnil(run->co, -1) ? json_null()
                                      : json_lua_read(run->co, -1, RUN_RESULT_LIMITS, &why);
  buf_clear(&run->text);
  if (run->owned && !json_write(run->owned, &run->text, &why)) return;
  run->state = RUN_FAILED;
  reason_set(&run->why, why.code == TOO_LARGE ? TOO_LARGE : SCRIPT, "its result: %s", why.text);
}

/* Computing ------------------------------------------------------------------------------------ */

static void compute(struct script_run *run)
{
  int n, status;
  run->now = run->co;
  run_watch(run->co);
  status = lua_resume(run->co, NULL, 0, &n);
  if (status == LUA_OK) take_result(run);
  else if (status != LUA_YIELD) fail_error(run, status);
  else if (run->state != RUN_CALLING) fail_run(run, SCRIPT, "yielded outside of a coroutine");
}

static int after_entry(lua_State *L, int status, lua_KContext ctx)
{
  (void)L, (void)status, (void)ctx;
  return 1;
}

/* what the chunk returned -> the function to call */
static void push_entry(lua_State *L, const struct run_order *order)
{
  if (!order->entry[0]) {
    if (!lua_isfunction(L, -1))
      luaL_error(L, "returned a %s, a function is expected", luaL_typename(L, -1));
    return;
  }
  if (!lua_istable(L, -1))
    luaL_error(L, "returned a %s, a table with %s is expected", luaL_typename(L, -1), order->entry);
  lua_pushstring(L, order->entry);
  lua_rawget(L, -2);
  if (!lua_isfunction(L, -1))
    luaL_error(L, "its field %s is a %s, a function is expected", order->entry, luaL_typename(L, -1));
}

static int after_chunk(lua_State *L, int status, lua_KContext ctx)
{
  struct script_run *run = run_of(L);
  struct reason why = { .code = OK };
  (void)status, (void)ctx;
  push_entry(L, &run->order);
  run->owned =
    json_read_within(run->order.argument, run->order.argument_len, RUN_ARGUMENT_LIMITS, &why);
  if (!run->owned) return luaL_error(L, "its argument: %s", why.text);
  if (json_is_null(run->owned)) lua_pushnil(L);
  else lua_json_push(L, run->owned);
  json_decref(run->owned);
  run->owned = NULL;
  run->order.argument = NULL;
  lua_callk(L, 1, 1, 0, after_entry);
  return 1;
}

static int run_main(lua_State *L)
{
  struct script_run *run = run_of(L);
  const char *name = lua_pushfstring(L, "=%s", run->order.name);
  int status = luaL_loadbufferx(L, run->order.source, run->order.source_len, name, "t");
  run->order.source = NULL;
  if (status) return lua_error(L);
  lua_callk(L, 0, 1, 0, after_chunk);
  return after_chunk(L, LUA_OK, 0);
}

/* run -> []; protected */
static int open_state(lua_State *L)
{
  struct script_run *run = run_of(L);
  worker_lib_open(L);
  worker_call_add(L, &run->order);
  if (run->library) run->library(L);
  lua_settop(L, 0);
  run->co = lua_newthread(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, run);
  lua_pushcfunction(run->co, run_main);
  return 0;
}

/* false: no memory, or the library is not what it should be */
static bool open_run(struct script_run *run)
{
  run->L = lua_newstate(heap_alloc, &run->heap);
  if (!run->L) return false;
  *(struct script_run **)lua_getextraspace(run->L) = run;
  run->now = run->L;
  lua_pushcfunction(run->L, open_state);
  return lua_pcall(run->L, 0, 0, 0) == LUA_OK;
}

void run_start(struct script_run *run)
{
  begin_burst(run);
  if (setjmp(run->leave)) fail_overrun(run);
  else if (!open_run(run))
    fail_run(run, MEMORY, "the memory it may have is not enough to start it");
  else compute(run);
  end_burst(run);
}

void run_answer(struct script_run *run, const json_t *results, const char *raise)
{
  run->answer = results;
  run->raise = raise;
  run->state = RUN_READY;
  begin_burst(run);
  if (setjmp(run->leave)) fail_overrun(run);
  else compute(run);
  end_burst(run);
  run->answer = NULL;
  run->raise = NULL;
}

/* Life ----------------------------------------------------------------------------------------- */

struct script_run *run_new(const struct run_order *order, void (*library)(lua_State *L))
{
  struct script_run *run = calloc(1, sizeof *run);
  if (!run) return NULL;
  run->order = *order;
  run->library = library;
  heap_init(&run->heap, order->memory);
  buf_init(&run->text, RUN_RESULT_LIMITS.bytes);
  return run;
}

void run_free(struct script_run *run)
{
  json_decref(run->owned);
  buf_close(&run->text);
  heap_close(&run->heap);
  free(run);
}
