#include "modules.h"

#include "lua_digest.h"
#include "lua_json.h"
#include "lua_log.h"
#include "lua_yaml.h"

#include <lauxlib.h>

static const luaL_Reg modules[] = {
  { "digest", luaopen_host_digest },
  { "json", luaopen_host_json },
  { "log", luaopen_host_log },
  { "yaml", luaopen_host_yaml },
  { NULL, NULL },
};

void modules_preload(lua_State *L)
{
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  luaL_setfuncs(L, modules, 0);
  lua_pop(L, 1);
}
