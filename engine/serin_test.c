/* serin_test FILE ARGS... - a Lua 5.4 interpreter with the engine's modules.
 *
 * Runs FILE as the stock `lua` does (`arg`, `...`, a first line with # is skipped). What specs need
 * beyond the engine's own surface is the module `T`. */
#include "engine.h"
#include "lua_log.h"
#include "lua_test.h"
#include "modules.h"
#include "serin_test_worker.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char log_slot; /* userdata in the registry that `log` writes to */

/* T.log_to(path, level, encoding): sends `log` to the end of a file; without a path back to stderr. */
static int l_log_to(lua_State *L)
{
  const char *path = luaL_optstring(L, 1, NULL);
  struct log next = { .level = log_level_of(luaL_optstring(L, 2, path ? "debug" : "error")),
    .text = !strcmp(luaL_optstring(L, 3, "json"), "console"), .fd = 2 };
  lua_rawgetp(L, LUA_REGISTRYINDEX, &log_slot);
  struct log *log = lua_touserdata(L, -1);
  if (path) next.fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (next.fd < 0) return luaL_error(L, "cannot open %s", path);
  if (log->fd != 2) close(log->fd);
  *log = next;
  return 0;
}

static const luaL_Reg functions[] = {
  { "log_to", l_log_to },
  { NULL, NULL },
};

static int luaopen_T(lua_State *L)
{
  luaL_newlib(L, functions);
  lua_test_add(L);
  return 1;
}

static int traceback(lua_State *L)
{
  const char *message = lua_tostring(L, 1);
  luaL_traceback(L, L, message ? message : luaL_typename(L, 1), 1);
  return 1;
}

/* log -> []: package.path, package.preload */
static void set_up(lua_State *L, struct log *log)
{
  luaL_openlibs(L);
  modules_preload(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_T);
  lua_setfield(L, -2, "T");
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "path");
  lua_pushfstring(L, "./?.lua;./lua/?.lua;%s", lua_tostring(L, -1));
  lua_setfield(L, -3, "path");
  lua_pushlightuserdata(L, log);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &log_slot);
  lua_log_set(L, log);
  lua_settop(L, 0);
}

/* argc, argv, log -> status; runs protected */
static int run(lua_State *L)
{
  int argc = (int)lua_tointeger(L, 1);
  char **argv = lua_touserdata(L, 2);
  set_up(L, lua_touserdata(L, 3));
  lua_createtable(L, argc, 1);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - 1);
  }
  lua_setglobal(L, "arg");
  lua_pushcfunction(L, traceback);
  int status = luaL_loadfilex(L, argv[1], "t");
  for (int i = 2; !status && i < argc; i++) {
    luaL_checkstack(L, 1, "too many arguments");
    lua_pushstring(L, argv[i]);
  }
  if (!status) status = lua_pcall(L, argc - 2, 0, 1);
  if (status) fprintf(stderr, "%s: %s\n", argv[0], luaL_tolstring(L, -1, NULL));
  lua_pushinteger(L, status);
  return 1;
}

int main(int argc, char **argv)
{
  if (argc >= 2 && !strcmp(argv[1], WORKER_COMMAND)) return test_worker(argc > 2 ? argv[2] : "");
  if (argc < 2) {
    fprintf(stderr, "usage: %s FILE [ARGUMENT...]\n", argv[0]);
    return 2;
  }
  struct log log = { .level = LOG_ERROR, .fd = 2 };
  struct reason why = { .code = OK };
  signal(SIGPIPE, SIG_IGN);
  lua_State *L = luaL_newstate();
  if (!L) return EXIT_FAILURE;
  *(void **)lua_getextraspace(L) = NULL; /* no job calls from here */
  struct engine *engine = engine_new(L, &log, &why);
  if (!engine) {
    fprintf(stderr, "%s: %s\n", argv[0], why.text);
    return EXIT_FAILURE;
  }
  lua_pushcfunction(L, run);
  lua_pushinteger(L, argc);
  lua_pushlightuserdata(L, argv);
  lua_pushlightuserdata(L, &log);
  bool failed = lua_pcall(L, 3, 1, 0) != LUA_OK || lua_tointeger(L, -1) != LUA_OK;
  engine_free(engine);
  lua_close(L);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
