/* One tick: the call of the Lua function, and what it gives back. */
#include "sched_entry.h"

#include "call.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

#define LONGEST_S 86400.0

static const char *const causes[] = { "start", "change", "due", "retry" };

struct entry *entry_of(struct job *job)
{
  if (!job || job->on_end != on_tick_end) return NULL;
  return (struct entry *)((char *)job - offsetof(struct entry, job));
}

struct looker *sched_looker(struct job *job)
{
  struct entry *entry = entry_of(job);
  return entry && !entry->sched->stopped ? &entry->looker : NULL;
}

bool sched_left_behind(struct job *job)
{
  struct entry *entry = entry_of(job);
  return entry && entry->sched->stopped;
}

void sched_wrote(struct job *job)
{
  struct entry *entry = entry_of(job);
  if (entry) entry->wrote = true;
}

void sched_throttled(struct job *job, double seconds)
{
  struct entry *entry = entry_of(job);
  if (entry && seconds > entry->throttled) entry->throttled = seconds;
}

static enum status code_of(const char *name)
{
  for (int code = NOT_FOUND; code >= NO_MEMORY; code--) {
    if (!strcmp(status_name((enum status)code), name)) return (enum status)code;
  }
  return BAD_ANSWER;
}

/* Only these are legal: a number >= 0, nothing, or nil, message, CODE. */
static void read_results(lua_State *L, struct tick_result *result)
{
  *result = (struct tick_result){ .done = true, .after = -1 };
  if (lua_type(L, 1) == LUA_TNUMBER) {
    lua_Number after = lua_tonumber(L, 1);
    result->good = isfinite(after) && after >= 0;
    result->after = after < LONGEST_S ? after : LONGEST_S;
    if (!result->good) snprintf(result->text, sizeof result->text, "the tick returned %g", after);
    return;
  }
  result->good = lua_isnoneornil(L, 1);
  result->failed = result->good && lua_type(L, 2) == LUA_TSTRING;
  if (!result->good)
    snprintf(result->text, sizeof result->text, "the tick returned a %s", luaL_typename(L, 1));
  if (!result->failed) return;
  snprintf(result->text, sizeof result->text, "%s", lua_tostring(L, 2));
  result->code = code_of(lua_type(L, 3) == LUA_TSTRING ? lua_tostring(L, 3) : "");
}

/* results of the tick -> [] */
static int after_tick(lua_State *L, int status, lua_KContext ctx)
{
  struct entry *entry = (struct entry *)ctx;
  (void)status;
  read_results(L, &entry->result);
  return 0;
}

int tick_main(lua_State *L)
{
  struct entry *entry = entry_of(job_self(L));
  lua_settop(L, 0);
  lua_rawgeti(L, LUA_REGISTRYINDEX, entry->sched->options.tick);
  lua_pushstring(L, entry->space);
  lua_pushstring(L, entry->name);
  lua_pushstring(L, causes[entry->cause]);
  lua_callk(L, 3, LUA_MULTRET, (lua_KContext)entry, after_tick);
  return after_tick(L, LUA_OK, (lua_KContext)entry);
}

static int call_forget(lua_State *L)
{
  struct entry *entry = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, entry->sched->options.forget);
  lua_pushstring(L, entry->space);
  lua_pushstring(L, entry->name);
  lua_call(L, 2, 0);
  return 0;
}

void entry_forget(struct entry *entry)
{
  const struct sched_options *o = &entry->sched->options;
  char text[256];
  if (o->forget == LUA_NOREF) return;
  if (!call_lua(o->L, call_forget, entry, text, sizeof text))
    log_f(o->log, LOG_ERROR, "forgetting %s.%s failed: %s", entry->name, entry->space, text);
}

/* What went wrong with a tick that ended so, or NULL. */
static const char *problem_of(const struct entry *entry, enum job_end end, const char *what)
{
  if (end != JOB_OK) return what ? what : "an error that is no text";
  if (!entry->result.done) return "the tick did not return";
  return entry->result.good ? NULL : entry->result.text;
}

static void report(const struct entry *entry, enum log_level level, const char *text)
{
  char label[512], line[1024];
  snprintf(label, sizeof label, "%s.%s", entry->name, entry->space);
  snprintf(line, sizeof line, "%s", text);
  const struct log_field fields[] = { { "canary", label }, { NULL, NULL } };
  log_write(entry->sched->options.log, level, line, fields);
}

/* Sets the entry's result so that only numbers are left to look at. */
void on_tick_end(struct job *job, enum job_end end, const char *what)
{
  struct entry *entry = entry_of(job);
  struct tick_result *result = &entry->result;
  const char *problem = problem_of(entry, end, what);
  if (entry->sched->stopped) problem = NULL;
  if (problem) {
    char text[512];
    snprintf(text, sizeof text, "the tick failed: %s", problem);
    report(entry, LOG_ERROR, text);
    entry->sched->stats.errors++;
    result->failed = true;
    result->code = OK;
  } else if (result->failed && !entry->sched->stopped) {
    report(entry, result->code == CONFLICT ? LOG_DEBUG : LOG_WARN, result->text);
  }
  sched_entry_ended(entry);
}
