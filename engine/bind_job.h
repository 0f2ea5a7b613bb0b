/* bind_job.h - what every binding that waits needs. */
#ifndef ENGINE_BIND_JOB_H
#define ENGINE_BIND_JOB_H

#include "bind.h"
#include "engine.h"

/* The calling job; raises when there is none, or when it cannot be parked here. */
struct job *bind_job(lua_State *L);

/* For a continuation: pushes nil, message, CODE of a `struct reason`. */
int bind_push_reason(lua_State *L, const void *why);

/* Copies a function in a field of the table at `arg` into the registry; LUA_NOREF when it is
 * absent. */
int bind_slot(lua_State *L, int arg, const char *field);

/* Logs that a Lua callback raised. */
void bind_report(const struct engine *engine, const char *what, const char *text);

#endif
