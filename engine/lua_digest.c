#include "lua_digest.h"

#include "bind.h"
#include "digest.h"

#define MAX_RANDOM 1024

static const char *check_bytes(lua_State *L, int arg, size_t *len)
{
  return bind_bytes(L, arg, DIGEST_MAX_BYTES, len);
}

/* For what cannot fail but for want of memory. */
static int lacks(lua_State *L, enum status status)
{
  return luaL_error(L, "digest failed: %s", status_name(status));
}

static int push_hex(lua_State *L, const void *bytes, size_t len)
{
  luaL_Buffer b;
  digest_hex(bytes, len, luaL_buffinitsize(L, &b, DIGEST_HEX_SIZE(len)));
  luaL_pushresultsize(&b, len * 2);
  return 1;
}

static int l_sha256(lua_State *L)
{
  size_t len;
  unsigned char sum[DIGEST_SHA256_BYTES];
  const char *bytes = check_bytes(L, 1, &len);
  enum status status = digest_sha256(bytes, len, sum);
  return status ? lacks(L, status) : push_hex(L, sum, sizeof sum);
}

static int l_hmac_sha256(lua_State *L)
{
  size_t key_len, len;
  unsigned char sum[DIGEST_SHA256_BYTES];
  const char *key = check_bytes(L, 1, &key_len), *bytes = check_bytes(L, 2, &len);
  enum status status = digest_hmac_sha256(key, key_len, bytes, len, sum);
  if (status) return lacks(L, status);
  lua_pushlstring(L, (const char *)sum, sizeof sum);
  return 1;
}

static int l_hex(lua_State *L)
{
  size_t len;
  const char *bytes = check_bytes(L, 1, &len);
  return push_hex(L, bytes, len);
}

static int l_base64(lua_State *L)
{
  size_t len;
  luaL_Buffer b;
  const char *bytes = check_bytes(L, 1, &len);
  digest_base64(bytes, len, luaL_buffinitsize(L, &b, DIGEST_BASE64_SIZE(len)));
  luaL_pushresultsize(&b, DIGEST_BASE64_SIZE(len) - 1);
  return 1;
}

static int l_unbase64(lua_State *L)
{
  size_t len, n;
  luaL_Buffer b;
  const char *text = check_bytes(L, 1, &len);
  char *out = luaL_buffinitsize(L, &b, DIGEST_UNBASE64_SIZE(len));
  enum status status = digest_unbase64(text, len, (unsigned char *)out, &n);
  if (status) return bind_failf(L, status, "text is not base64");
  luaL_pushresultsize(&b, n);
  return 1;
}

static int l_rs256(lua_State *L)
{
  size_t pem_len, len, n;
  unsigned char sum[DIGEST_RSA_MAX_BYTES];
  const char *pem = check_bytes(L, 1, &pem_len), *bytes = check_bytes(L, 2, &len);
  enum status status = digest_rs256(pem, pem_len, bytes, len, sum, &n);
  if (status == NO_MEMORY) return lacks(L, status);
  if (status == TOO_LARGE) return bind_failf(L, status, "key or text is too long to sign");
  if (status) return bind_failf(L, status, "expected an RSA private key of 2048 to 4096 bits in PEM");
  lua_pushlstring(L, (const char *)sum, n);
  return 1;
}

static int l_random(lua_State *L)
{
  unsigned char bytes[MAX_RANDOM];
  lua_Integer n = luaL_checkinteger(L, 1);
  luaL_argcheck(L, n >= 0 && n <= MAX_RANDOM, 1, "0 to 1024 expected");
  enum status status = digest_random(bytes, (size_t)n);
  if (status) return lacks(L, status);
  lua_pushlstring(L, (const char *)bytes, (size_t)n);
  return 1;
}

static const luaL_Reg functions[] = {
  { "sha256",      l_sha256 },
  { "hmac_sha256", l_hmac_sha256 },
  { "rs256",       l_rs256 },
  { "hex",         l_hex },
  { "base64",      l_base64 },
  { "unbase64",    l_unbase64 },
  { "random",      l_random },
  { NULL, NULL },
};

int luaopen_host_digest(lua_State *L)
{
  luaL_newlib(L, functions);
  return 1;
}
