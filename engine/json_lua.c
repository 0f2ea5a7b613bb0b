#include "json_lua.h"

#include <lauxlib.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_VALUES (4u << 20) /* in one table: what is shared is written as often as it is met */

static const char list_key; /* where the metatable of lists is in the registry */

void json_lua_push_list_type(lua_State *L)
{
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &list_key) != LUA_TNIL) return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "json.array");
  lua_setfield(L, -2, "__name");
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &list_key);
}

bool json_lua_is_list(lua_State *L, int idx)
{
  if (!lua_getmetatable(L, idx)) return false;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &list_key);
  bool same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}

/* JSON to Lua ------------------------------------------------------------------------------- */

static int hint(size_t n)
{
  return n < INT_MAX ? (int)n : INT_MAX;
}

static void push_list(lua_State *L, const json_t *list)
{
  size_t n = json_array_size(list);
  lua_createtable(L, hint(n), 0);
  for (size_t i = 0; i < n; i++) {
    lua_json_push(L, json_array_get(list, i));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  json_lua_push_list_type(L);
  lua_setmetatable(L, -2);
}

static void push_object(lua_State *L, const json_t *object)
{
  const char *key;
  json_t *value, *map = (json_t *)object; /* jansson's iterator is not const */
  size_t len;
  lua_createtable(L, 0, hint(json_object_size(object)));
  json_object_keylen_foreach(map, key, len, value) {
    lua_pushlstring(L, key, len);
    lua_json_push(L, value);
    lua_rawset(L, -3);
  }
}

void lua_json_push(lua_State *L, const json_t *value)
{
  luaL_checkstack(L, 6, "JSON value is too deep");
  switch (json_typeof(value)) {
  case JSON_OBJECT: push_object(L, value); return;
  case JSON_ARRAY: push_list(L, value); return;
  case JSON_STRING: lua_pushlstring(L, json_string_value(value), json_string_length(value)); return;
  case JSON_INTEGER: lua_pushinteger(L, json_integer_value(value)); return;
  case JSON_REAL: lua_pushnumber(L, json_real_value(value)); return;
  case JSON_TRUE: lua_pushboolean(L, 1); return;
  case JSON_FALSE: lua_pushboolean(L, 0); return;
  case JSON_NULL: break;
  }
  lua_pushlightuserdata(L, NULL);
}

/* Lua to JSON: raw access only and nothing that allocates in Lua, so it cannot raise ----------- */

struct reading {
  lua_State *L;
  struct reason *why;
  size_t values, bytes; /* so far */
  struct json_limits most;
};

struct pair {
  const char *key; /* borrowed from the table */
  size_t len;
  json_t *value;
};

static json_t *read_value(struct reading *r, int idx, int depth);

static json_t *refuse(struct reading *r, enum status code, const char *message)
{
  reason_set(r->why, code, "%s", message);
  return NULL;
}

static json_t *read_number(struct reading *r, int idx)
{
  if (lua_isinteger(r->L, idx)) return json_integer(lua_tointeger(r->L, idx));
  lua_Number number = lua_tonumber(r->L, idx);
  if (!isfinite(number)) return refuse(r, INVALID, "NaN and infinities have no JSON form");
  return json_real(number);
}

static json_t *read_string(struct reading *r, int idx)
{
  size_t len;
  const char *text = lua_tolstring(r->L, idx, &len);
  r->bytes += len;
  if (r->bytes > r->most.bytes) return refuse(r, TOO_LARGE, "value is too large for JSON");
  json_t *value = json_stringn(text, len);
  return value ? value : refuse(r, INVALID, "a string is not valid UTF-8");
}

static json_t *read_list(struct reading *r, int idx, size_t n, int depth)
{
  json_t *list = json_array();
  if (!list) return refuse(r, NO_MEMORY, "no memory for JSON");
  for (size_t i = 1; i <= n; i++) {
    lua_rawgeti(r->L, idx, (lua_Integer)i);
    json_t *value = read_value(r, lua_gettop(r->L), depth);
    lua_pop(r->L, 1);
    if (value && !json_array_append_new(list, value)) continue;
    if (value) refuse(r, NO_MEMORY, "no memory for JSON");
    json_decref(list);
    return NULL;
  }
  return list;
}

/* Memory comparison, the shorter first: the order of Go's sort.Strings. */
static int by_key(const void *a, const void *b)
{
  const struct pair *x = a, *y = b;
  int order = memcmp(x->key, y->key, x->len < y->len ? x->len : y->len);
  return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Fills `pairs` with the table's n string keys. [] -> [] */
static bool read_pairs(struct reading *r, int idx, struct pair *pairs, size_t *n, int depth)
{
  lua_State *L = r->L;
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
    struct pair p = { 0 };
    p.key = lua_tolstring(L, -2, &p.len);
    r->bytes += p.len;
    if (r->bytes > r->most.bytes) refuse(r, TOO_LARGE, "value is too large for JSON");
    else p.value = read_value(r, lua_gettop(L), depth);
    if (!p.value) {
      lua_pop(L, 2);
      return false;
    }
    pairs[(*n)++] = p;
  }
  return true;
}

static json_t *read_object(struct reading *r, int idx, size_t size, int depth)
{
  size_t n = 0, done = 0;
  json_t *object = json_object();
  struct pair *pairs = calloc(size ? size : 1, sizeof *pairs);
  bool good = object && pairs;
  if (!good) refuse(r, NO_MEMORY, "no memory for JSON");
  good = good && read_pairs(r, idx, pairs, &n, depth);
  if (good) qsort(pairs, n, sizeof *pairs, by_key);
  for (; good && done < n; done++) { /* takes the value, also when it fails */
    if (memchr(pairs[done].key, '\0', pairs[done].len)) {
      refuse(r, INVALID, "a key holds a NUL byte");
      break;
    }
    if (json_object_setn_new(object, pairs[done].key, pairs[done].len, pairs[done].value)) {
      refuse(r, INVALID, "a key is not valid UTF-8");
      done++;
      break;
    }
  }
  good = good && json_object_size(object) == n;
  while (done < n) json_decref(pairs[done++].value);
  free(pairs);
  if (good) return object;
  json_decref(object);
  return NULL;
}

enum shape { SHAPE_LIST, SHAPE_OBJECT, SHAPE_NEITHER };

/* What the keys of a table say, and how many there are. [] -> [] */
static enum shape shape_of(lua_State *L, int idx, size_t *size)
{
  size_t strings = 0, indices = 0, others = 0;
  lua_Integer last = 0;
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
    lua_Integer i = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
    if (lua_type(L, -2) == LUA_TSTRING) strings++;
    else if (i > 0) indices++;
    else others++;
    if (i > last) last = i;
  }
  *size = strings + indices + others;
  if (strings == *size && !json_lua_is_list(L, idx)) return SHAPE_OBJECT;
  return indices == *size && (size_t)last == *size ? SHAPE_LIST : SHAPE_NEITHER;
}

static json_t *read_table(struct reading *r, int idx, int depth)
{
  size_t size;
  if (depth >= JSON_MAX_DEPTH) return refuse(r, INVALID, "value is too deep for JSON, or holds itself");
  if (!lua_checkstack(r->L, 6)) return refuse(r, NO_MEMORY, "no memory for JSON");
  switch (shape_of(r->L, idx, &size)) {
  case SHAPE_LIST: return read_list(r, idx, size, depth + 1);
  case SHAPE_OBJECT: return read_object(r, idx, size, depth + 1);
  case SHAPE_NEITHER: break;
  }
  return refuse(r, INVALID, "a table is neither a list without holes nor an object with string keys");
}

static json_t *read_value(struct reading *r, int idx, int depth)
{
  if (++r->values > r->most.values) return refuse(r, TOO_LARGE, "value is too large for JSON");
  switch (lua_type(r->L, idx)) {
  case LUA_TBOOLEAN: return json_boolean(lua_toboolean(r->L, idx));
  case LUA_TNUMBER: return read_number(r, idx);
  case LUA_TSTRING: return read_string(r, idx);
  case LUA_TTABLE: return read_table(r, idx, depth);
  case LUA_TLIGHTUSERDATA:
    if (!lua_touserdata(r->L, idx)) return json_null();
    break;
  default: break;
  }
  reason_set(r->why, INVALID, "a %s has no JSON form", lua_typename(r->L, lua_type(r->L, idx)));
  return NULL;
}

json_t *json_lua_read(lua_State *L, int idx, struct json_limits most, struct reason *why)
{
  struct reading r = { .L = L, .why = why, .most = most };
  idx = lua_absindex(L, idx);
  return read_value(&r, idx, 0);
}

json_t *lua_json_read(lua_State *L, int idx, struct reason *why)
{
  return json_lua_read(L, idx, (struct json_limits){ MAX_VALUES, JSON_MAX_BYTES }, why);
}
