/* A plain check of the base layer where Lua would be in the way: limits, and allocations that fail. */
#include "buf.h"
#include "json.h"
#include "lua_json.h"
#include "yaml.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static long fail_in = -1; /* allocations until one fails, and all later ones; -1: none */
static bool fail_lua;

static bool failing(void)
{
  if (fail_in > 0) fail_in--;
  return fail_in == 0;
}

static void *scarce(size_t size)
{
  return failing() ? NULL : malloc(size);
}

static void *lua_scarce(void *ud, void *p, size_t old, size_t size)
{
  (void)ud;
  if (!p) old = 0;
  if (size > old && (fail_lua || failing())) return NULL;
  if (size) return realloc(p, size);
  free(p);
  return NULL;
}

static void check_buf(void)
{
  struct buf b;
  buf_init(&b, 4);
  CHECK(!b.data && !b.len);
  buf_clear(&b);
  buf_shift(&b, 0);
  CHECK(!buf_add(&b, "", 0) && b.data && !strcmp(b.data, ""));
  CHECK(!buf_adds(&b, "abc") && b.len == 3);
  CHECK(buf_adds(&b, "de") == TOO_LARGE && !strcmp(b.data, "abc"));
  CHECK(buf_addf(&b, "%d", 42) == TOO_LARGE && !strcmp(b.data, "abc"));
  CHECK(!buf_addf(&b, "%c", 'd') && !strcmp(b.data, "abcd") && b.len == 4);
  CHECK(!buf_adds(&b, "") && buf_adds(&b, "e") == TOO_LARGE);
  buf_shift(&b, 1);
  CHECK(!strcmp(b.data, "bcd") && b.len == 3);
  buf_shift(&b, 3);
  CHECK(!strcmp(b.data, "") && b.len == 0);
  CHECK(!buf_add(&b, "\0x", 2) && b.len == 2 && b.data[1] == 'x' && !b.data[2]);
  buf_clear(&b);
  CHECK(!b.len && !b.data[0]);
  buf_close(&b);
  CHECK(!b.data && !buf_adds(&b, "abcd")); /* usable again, with the same maximum */
  CHECK(buf_adds(&b, "e") == TOO_LARGE);
  buf_close(&b);
}

static void check_buf_growth(void)
{
  struct buf b;
  buf_init(&b, 100000);
  for (int i = 0; i < 100000; i++) CHECK(!buf_add(&b, i % 2 ? "a" : "b", 1));
  CHECK(b.len == 100000 && b.data[99999] == 'a' && !b.data[100000]);
  CHECK(b.cap <= b.max + 1 && buf_add(&b, "c", 1) == TOO_LARGE);
  buf_close(&b);
}

static void check_reason(void)
{
  struct reason why;
  char big[600];
  memset(big, 'x', sizeof big - 1);
  big[sizeof big - 1] = '\0';
  CHECK(reason_set(&why, CONFLICT, "%s", big) == CONFLICT && why.code == CONFLICT);
  CHECK(strlen(why.text) == sizeof why.text - 1 && !why.http_status);
  reason_set(&why, GONE, "again: %.5s", why.text); /* may use the text it replaces */
  CHECK(!strcmp(why.text, "again: xxxxx"));
  CHECK(reason_set(NULL, INVALID, "x") == INVALID);
  for (int code = CONFLICT; code >= REFUSED; code--)
    CHECK(strcmp(status_name((enum status)code), status_name((enum status)(code + 1))));
}

static void check_paths(void)
{
  json_t *value = json_read("{\"a\":{\"b\":\"c\",\"n\":1}}", 21, NULL);
  CHECK(value && json_at(value, NULL) == value);
  CHECK(!strcmp(json_text_at(value, "a", "b", NULL), "c"));
  CHECK(!strcmp(json_text_at(value, "a", "n", NULL), "") && !strcmp(json_text_at(value, "x", "b", NULL), ""));
  CHECK(!json_at(value, "a", "b", "c", NULL) && !json_at(NULL, "a", NULL));
  json_decref(value);
}

/* With no memory to be had in Lua, outside any protected call: a raise would be a panic. */
static void check_read_never_raises(void)
{
  struct reason why;
  lua_State *L = lua_newstate(lua_scarce, NULL);
  CHECK(L && !luaL_loadstring(L, "local t = {b = {1, 2.5, {}}, a = 'x', [''] = true} t[1] = nil "
                                 "for i = 1, 40 do t = {t, k = nil} end return t"));
  CHECK(!lua_pcall(L, 0, 1, 0));
  fail_lua = true;
  json_t *value = lua_json_read(L, -1, &why);
  CHECK(value || why.code == NO_MEMORY);
  json_decref(value);
  fail_lua = false;
  CHECK(lua_gettop(L) == 1);
  lua_close(L);
}

/* encode(decode(text)), protected */
static int round_trip(lua_State *L)
{
  lua_settop(L, 0);
  luaL_requiref(L, "json", luaopen_host_json, 0);
  lua_getfield(L, 1, "encode");
  lua_getfield(L, 1, "decode");
  lua_pushstring(L, "{\"a\":[1,2.5,null,{\"b\":\"c\"}],\"d\":{}}");
  lua_call(L, 1, 1);
  lua_call(L, 1, 1);
  if (lua_isnil(L, -1)) return luaL_error(L, "no memory");
  return 0;
}

/* Fails the n-th allocation and all later ones, until nothing is left to fail. */
static long check_lua_memory(void)
{
  long n = 0;
  for (bool failed = true; failed; n++) {
    fail_in = -1;
    lua_State *L = lua_newstate(lua_scarce, NULL);
    CHECK(L);
    lua_pushcfunction(L, round_trip);
    fail_in = n + 1;
    int status = lua_pcall(L, 0, 0, 0);
    failed = fail_in == 0;
    CHECK(failed || !status);
    fail_in = -1;
    lua_close(L);
  }
  return n - 1;
}

static long check_yaml_memory(void)
{
  static const char text[] = "a: &x {b: [1, 2.5], 3: c}\nd: {<<: [*x, {e: f}], g: *x}\n---\nh\n";
  long n = 0;
  for (bool failed = true; failed; n++) {
    struct reason why = { .code = OK };
    fail_in = n + 1;
    json_t *documents = yaml_read(text, sizeof text - 1, &why);
    failed = fail_in == 0;
    fail_in = -1;
    CHECK(failed ? !documents && why.code : documents != NULL);
    json_decref(documents);
  }
  return n - 1;
}

int main(void)
{
  json_set_alloc_funcs(scarce, free);
  check_buf();
  check_buf_growth();
  check_reason();
  check_paths();
  check_read_never_raises();
  long in_lua = check_lua_memory(), in_yaml = check_yaml_memory();
  printf("base: %ld + %ld allocation failures survived\n", in_lua, in_yaml);
  return 0;
}
