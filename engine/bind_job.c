#include "bind_job.h"

struct job *bind_job(lua_State *L)
{
  struct job *job = job_self(L);
  if (!job || !lua_isyieldable(L)) luaL_error(L, "this call has to wait, which only a job can do");
  return job;
}

int bind_push_reason(lua_State *L, const void *why)
{
  return bind_fail(L, why);
}

int bind_slot(lua_State *L, int arg, const char *field)
{
  return bind_function(L, arg, field) ? luaL_ref(L, LUA_REGISTRYINDEX) : LUA_NOREF;
}

void bind_report(const struct engine *engine, const char *what, const char *text)
{
  log_f(engine->log, LOG_ERROR, "%s failed: %s", what, text);
}
