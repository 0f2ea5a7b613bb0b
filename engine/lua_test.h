/* lua_test.h - what specs need of the host: jobs and turns of the loop. Only in serin_test. */
#ifndef ENGINE_LUA_TEST_H
#define ENGINE_LUA_TEST_H

#include <lua.h>

/* Adds its functions to the table on top of the stack. */
void lua_test_add(lua_State *L);

#endif
