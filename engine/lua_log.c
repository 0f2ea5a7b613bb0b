#include "lua_log.h"

#include "bind.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FIELDS 16

static const char log_key;

void lua_log_set(lua_State *L, const struct log *log)
{
  bind_set(L, &log_key, (void *)log);
}

static int by_name(const void *a, const void *b)
{
  const struct log_field *x = a, *y = b;
  return strcmp(x->name, y->name);
}

/* Fields of the table at 2, sorted by name; the texts stay anchored in the table. */
static void check_fields(lua_State *L, struct log_field *fields)
{
  size_t n = 0;
  if (lua_isnoneornil(L, 2)) return;
  bind_table(L, 2);
  for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
    luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING, 2,
      "field names and values must be strings");
    luaL_argcheck(L, n < MAX_FIELDS, 2, "too many fields");
    fields[n++] = (struct log_field){ lua_tostring(L, -2), lua_tostring(L, -1) };
  }
  qsort(fields, n, sizeof *fields, by_name);
}

static int write_line(lua_State *L, enum log_level level)
{
  static const struct log stock = { .level = LOG_INFO, .fd = 2 };
  struct log_field fields[MAX_FIELDS + 1] = { { NULL, NULL } };
  const char *msg = luaL_checkstring(L, 1);
  check_fields(L, fields);
  const struct log *log = bind_get(L, &log_key);
  log_write(log ? log : &stock, level, msg, fields);
  return 0;
}

static int l_debug(lua_State *L) { return write_line(L, LOG_DEBUG); }
static int l_info(lua_State *L) { return write_line(L, LOG_INFO); }
static int l_warn(lua_State *L) { return write_line(L, LOG_WARN); }
static int l_error(lua_State *L) { return write_line(L, LOG_ERROR); }

static const luaL_Reg functions[] = {
  { "debug", l_debug },
  { "info",  l_info },
  { "warn",  l_warn },
  { "error", l_error },
  { NULL, NULL },
};

int luaopen_host_log(lua_State *L)
{
  luaL_newlib(L, functions);
  return 1;
}
