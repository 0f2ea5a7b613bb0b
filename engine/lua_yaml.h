/* lua_yaml.h - `yaml`: see lua/meta/yaml.lua. */
#ifndef ENGINE_LUA_YAML_H
#define ENGINE_LUA_YAML_H

#include <lua.h>

int luaopen_host_yaml(lua_State *L);

#endif
