/* modules.h - the list of C modules that Lua can require. */
#ifndef ENGINE_MODULES_H
#define ENGINE_MODULES_H

#include <lua.h>

/* Puts every module into package.preload; nothing is opened yet. Needs the package library. */
void modules_preload(lua_State *L);

#endif
