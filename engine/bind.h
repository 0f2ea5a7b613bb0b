/* bind.h - what every lua_*.c needs: checked arguments, the error triple, a way to its C state.
 *
 * A wrong type raises; a failing world returns `nil, message, CODE`. Option tables are read field by
 * field: an absent field gives the default, one of a wrong type raises and names the field. */
#ifndef ENGINE_BIND_H
#define ENGINE_BIND_H

#include "reason.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

/* For a lua_CFunction: `return bind_fail(L, &why);` pushes nil, message, CODE. */
int bind_fail(lua_State *L, const struct reason *why);
int bind_failf(lua_State *L, enum status code, const char *format, ...)
  __attribute__((format(printf, 3, 4)));

/* A string argument with its length; raises when it is longer than `max`. */
const char *bind_bytes(lua_State *L, int arg, size_t max, size_t *len);

/* The argument must be a table. */
void bind_table(lua_State *L, int arg);

/* Fields of the table at `arg`; each leaves the stack as it was. A text is borrowed from the table. */
const char *bind_text(lua_State *L, int arg, const char *field, const char *otherwise);
lua_Number bind_number(lua_State *L, int arg, const char *field, lua_Number otherwise);
lua_Integer bind_integer(lua_State *L, int arg, const char *field, lua_Integer otherwise);
bool bind_flag(lua_State *L, int arg, const char *field, bool otherwise);

/* Pushes the function in a field and returns true, or pushes nothing and returns false. */
bool bind_function(lua_State *L, int arg, const char *field);

/* Full userdata with the metatable `type`, zeroed. [] -> [object] */
void *bind_new(lua_State *L, const char *type, size_t size);

/* Makes the metatable of `type` once: `methods` in __index, `gc` as __gc and __close, hidden from
 * Lua. [] -> [] */
void bind_type(lua_State *L, const char *type, const luaL_Reg *methods, lua_CFunction gc);

/* C state that bindings of a module share, kept under the address of a `static const char`. */
void bind_set(lua_State *L, const void *key, void *state);
void *bind_get(lua_State *L, const void *key);

#endif
