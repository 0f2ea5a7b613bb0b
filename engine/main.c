/* serin: the command line. Finds the Lua tree, opens what it needs, and does what lua/main.lua
 * says. */
#include "engine.h"
#include "lua_log.h"
#include "modules.h"
#include "worker.h"

#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 4096

struct host {
  int argc;
  char **argv;
  char tree[PATH_SIZE];   /* the folder that holds lua/, policies/ and routers/ */
  struct log log;
  struct engine *engine;
  bool loops;             /* main.cli wants the loop to run */
  int code;
};

/* The Lua tree --------------------------------------------------------------------------------- */

static bool is_tree(const char *path)
{
  char file[PATH_SIZE + 16];
  snprintf(file, sizeof file, "%s/lua/main.lua", path);
  return access(file, R_OK) == 0;
}

/* SERIN_LUA_DIR, or beside an installed program, or the sources of one in its build folder. */
static bool find_tree(char *tree)
{
  const char *asked = getenv("SERIN_LUA_DIR");
  char program[PATH_SIZE];
  size_t size = sizeof program;
  if (asked) {
    snprintf(tree, PATH_SIZE, "%s", asked);
    return is_tree(tree);
  }
  if (uv_exepath(program, &size)) return false;
  char *slash = strrchr(program, '/');
  if (!slash || slash == program) return false;
  *slash = '\0';
  snprintf(tree, PATH_SIZE, "%.*s/../share/serin", PATH_SIZE - 32, program);
  if (is_tree(tree)) return true;
  snprintf(tree, PATH_SIZE, "%s", SERIN_SOURCE_DIR);
  return !strcmp(program, SERIN_BINARY_DIR) && is_tree(tree);
}

/* The Lua state -------------------------------------------------------------------------------- */

/* Modules are text files of the tree; bytecode and shared objects are not looked at. */
static int search_text(lua_State *L)
{
  const char *name = luaL_checkstring(L, 1);
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "searchpath");
  lua_pushstring(L, name);
  lua_getfield(L, -3, "path");
  lua_call(L, 2, 2);
  if (lua_isnil(L, -2)) return 1; /* what was tried */
  const char *path = lua_tostring(L, -2);
  if (luaL_loadfilex(L, path, "t")) return lua_error(L);
  lua_pushstring(L, path);
  return 2;
}

/* [package] -> [package] */
static void restrict_package(lua_State *L, const char *tree)
{
  lua_pushfstring(L, "%s/lua/?.lua;%s/?.lua", tree, tree);
  lua_setfield(L, -2, "path");
  lua_pushliteral(L, "");
  lua_setfield(L, -2, "cpath");
  lua_pushnil(L);
  lua_setfield(L, -2, "loadlib");
  lua_getfield(L, -1, "searchers");
  lua_pushcfunction(L, search_text);
  lua_rawseti(L, -2, 2);
  for (int i = 4; i > 2; i--) {
    lua_pushnil(L);
    lua_rawseti(L, -2, i);
  }
  lua_pop(L, 1);
}

/* [package] -> [package]: the tree first, then what the system has; for busted, which is not ours */
static void widen_package(lua_State *L, const char *tree)
{
  lua_getfield(L, -1, "path");
  lua_pushfstring(L, "%s/lua/?.lua;%s/?.lua;%s", tree, tree, lua_tostring(L, -1));
  lua_setfield(L, -3, "path");
  lua_pop(L, 1);
  luaL_requiref(L, LUA_DBLIBNAME, luaopen_debug, 1);
  lua_pop(L, 1);
}

static void open_libraries(lua_State *L, const char *tree, bool testing)
{
  static const luaL_Reg libraries[] = {
    { LUA_GNAME, luaopen_base },
    { LUA_TABLIBNAME, luaopen_table },
    { LUA_STRLIBNAME, luaopen_string },
    { LUA_MATHLIBNAME, luaopen_math },
    { LUA_UTF8LIBNAME, luaopen_utf8 },
    { LUA_COLIBNAME, luaopen_coroutine },
    { LUA_IOLIBNAME, luaopen_io },
    { LUA_OSLIBNAME, luaopen_os },
    { LUA_LOADLIBNAME, luaopen_package },
  };
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
    luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
    if (i + 1 < sizeof libraries / sizeof *libraries) lua_pop(L, 1);
  }
  if (testing) widen_package(L, tree);
  else
    restrict_package(L, tree);
  lua_pop(L, 1);
  modules_preload(L);
}

/* host -> []: main.cli(argv) */
static int run_cli(lua_State *L)
{
  struct host *host = lua_touserdata(L, 1);
  open_libraries(L, host->tree, host->argc > 1 && !strcmp(host->argv[1], "test"));
  lua_log_set(L, &host->log);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "main");
  lua_call(L, 1, 1);
  luaL_checktype(L, -1, LUA_TTABLE);
  lua_getfield(L, -1, "cli");
  lua_createtable(L, host->argc, 0);
  for (int i = 0; i < host->argc; i++) {
    lua_pushstring(L, host->argv[i]);
    lua_rawseti(L, -2, i);
  }
  lua_call(L, 1, 1);
  host->loops = lua_isnil(L, -1);
  if (!host->loops && !lua_isinteger(L, -1))
    return luaL_error(L, "the command returned a %s", luaL_typename(L, -1));
  host->code = (int)lua_tointeger(L, -1);
  return 0;
}

static int traceback(lua_State *L)
{
  const char *message = lua_tostring(L, 1);
  luaL_traceback(L, L, message ? message : luaL_typename(L, 1), 1);
  return 1;
}

static int run(lua_State *L, struct host *host)
{
  struct reason why = { .code = OK };
  host->engine = engine_new(L, &host->log, &why);
  if (!host->engine) {
    fprintf(stderr, "serin: %s\n", why.text);
    return EXIT_FAILURE;
  }
  engine_signals(host->engine, LUA_NOREF);
  lua_pushcfunction(L, traceback);
  lua_pushcfunction(L, run_cli);
  lua_pushlightuserdata(L, host);
  if (lua_pcall(L, 1, 0, 1) != LUA_OK) {
    fprintf(stderr, "serin: %s\n",
      lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error that is no text");
    host->loops = false;
    host->code = EXIT_FAILURE;
  }
  lua_settop(L, 0);
  int code = host->loops ? engine_loop(host->engine) : host->code;
  engine_free(host->engine);
  return code;
}

int main(int argc, char **argv)
{
  struct host host = { .argc = argc, .argv = argv, .log = { .level = LOG_INFO, .fd = 2 } };
  const struct worker_options worker = { .library = NULL };
  if (argc == 2 && !strcmp(argv[1], WORKER_COMMAND)) return worker_main(&worker);
  signal(SIGPIPE, SIG_IGN);
  if (!find_tree(host.tree)) {
    fprintf(stderr,
      "serin: cannot find its Lua files (SERIN_LUA_DIR names the folder that holds "
      "lua/main.lua)\n");
    return EXIT_FAILURE;
  }
  lua_State *L = luaL_newstate();
  if (!L) return EXIT_FAILURE;
  *(struct job **)lua_getextraspace(L) = NULL; /* no job calls from here */
  int code = run(L, &host);
  lua_close(L);
  return code;
}
