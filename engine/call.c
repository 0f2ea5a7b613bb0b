#include "call.h"

#include <stdio.h>

bool call_lua(lua_State *L, lua_CFunction what, void *data, char *text, size_t size)
{
  text[0] = '\0';
  if (!lua_checkstack(L, 4)) {
    snprintf(text, size, "the Lua stack is full");
    return false;
  }
  lua_pushcfunction(L, what); /* neither of these two allocates */
  lua_pushlightuserdata(L, data);
  if (lua_pcall(L, 1, 0, 0) == LUA_OK) return true;
  const char *message =
    lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error that is no text";
  snprintf(text, size, "%s", message);
  lua_pop(L, 1);
  return false;
}
