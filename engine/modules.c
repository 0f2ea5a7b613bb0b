#include "modules.h"

#include "lua_clock.h"
#include "lua_digest.h"
#include "lua_engine.h"
#include "lua_http.h"
#include "lua_json.h"
#include "lua_kube.h"
#include "lua_log.h"
#include "lua_script.h"
#include "lua_server.h"
#include "lua_yaml.h"

#include <lauxlib.h>

/* `build`: which program this is. { version =, revision = } */
static int open_build(lua_State *L)
{
  lua_createtable(L, 0, 2);
  lua_pushliteral(L, SERIN_VERSION);
  lua_setfield(L, -2, "version");
  lua_pushliteral(L, SERIN_REVISION);
  lua_setfield(L, -2, "revision");
  return 1;
}

static const luaL_Reg modules[] = {
  { "build",  open_build },
  { "clock",  luaopen_host_clock },
  { "digest", luaopen_host_digest },
  { "engine", luaopen_host_engine },
  { "http",   luaopen_host_http },
  { "json",   luaopen_host_json },
  { "kube",   luaopen_host_kube },
  { "log",    luaopen_host_log },
  { "script", luaopen_host_script },
  { "server", luaopen_host_server },
  { "yaml",   luaopen_host_yaml },
  { NULL, NULL },
};

void modules_preload(lua_State *L)
{
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  luaL_setfuncs(L, modules, 0);
  lua_pop(L, 1);
}
