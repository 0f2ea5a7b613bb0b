#include "digest.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#define RSA_MIN_BITS 2048

enum status digest_sha256(const void *bytes, size_t len, unsigned char out[DIGEST_SHA256_BYTES])
{
  return EVP_Digest(bytes, len, out, NULL, EVP_sha256(), NULL) ? OK : NO_MEMORY;
}

enum status digest_hmac_sha256(const void *key, size_t key_len, const void *bytes, size_t len,
  unsigned char out[DIGEST_SHA256_BYTES])
{
  if (key_len > DIGEST_MAX_BYTES) return TOO_LARGE; /* its size is an int for libcrypto */
  return HMAC(EVP_sha256(), key, (int)key_len, bytes, len, out, NULL) ? OK : NO_MEMORY;
}

/* The library's own asks at the terminal. */
static int no_passphrase(char *out, int size, int writing, void *data)
{
  (void)out;
  (void)size;
  (void)writing;
  (void)data;
  return -1;
}

static EVP_PKEY *read_rsa(const char *pem, size_t len)
{
  BIO *bio = BIO_new_mem_buf(pem, (int)len);
  EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
  BIO_free(bio);
  if (!key) return NULL;
  int bits = EVP_PKEY_get_bits(key);
  if (EVP_PKEY_is_a(key, "RSA") && bits >= RSA_MIN_BITS && bits <= DIGEST_RSA_MAX_BYTES * 8) return key;
  EVP_PKEY_free(key);
  return NULL;
}

enum status digest_rs256(const char *pem, size_t pem_len, const void *bytes, size_t len,
  unsigned char out[DIGEST_RSA_MAX_BYTES], size_t *out_len)
{
  if (pem_len > DIGEST_PEM_MAX_BYTES || len > DIGEST_SIGNED_MAX_BYTES) return TOO_LARGE;
  EVP_PKEY *key = read_rsa(pem, pem_len);
  EVP_MD_CTX *ctx = key ? EVP_MD_CTX_new() : NULL;
  *out_len = DIGEST_RSA_MAX_BYTES;
  enum status status = !key ? INVALID : NO_MEMORY;
  if (ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
    EVP_DigestSign(ctx, out, out_len, bytes, len) == 1)
    status = OK;
  EVP_MD_CTX_free(ctx);
  EVP_PKEY_free(key);
  ERR_clear_error(); /* what is left there would be taken for a failure of the next TLS connection */
  return status;
}

void digest_hex(const void *bytes, size_t len, char *out)
{
  static const char digits[] = "0123456789abcdef";
  const unsigned char *b = bytes;
  for (size_t i = 0; i < len; i++) {
    *out++ = digits[b[i] >> 4];
    *out++ = digits[b[i] & 15];
  }
  *out = '\0';
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* libcrypto's own functions count in int and accept text that is not base64. */
void digest_base64(const void *bytes, size_t len, char *out)
{
  const unsigned char *b = bytes;
  for (size_t i = 0; i < len; i += 3) {
    size_t left = len - i;
    unsigned group = (unsigned)b[i] << 16;
    if (left > 1) group |= (unsigned)b[i + 1] << 8;
    if (left > 2) group |= b[i + 2];
    *out++ = alphabet[group >> 18];
    *out++ = alphabet[group >> 12 & 63];
    *out++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
    *out++ = left > 2 ? alphabet[group & 63] : '=';
  }
  *out = '\0';
}

/* 0 to 63, or -1. */
static int sextet(char c)
{
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four sextets to 3 - padding bytes; INVALID when the bits below them are not zero. */
static enum status ungroup(unsigned group, size_t padding, unsigned char *out, size_t *n)
{
  if (group & ((1u << 8 * padding) - 1)) return INVALID;
  for (size_t k = 0; k < 3 - padding; k++) out[(*n)++] = (unsigned char)(group >> (16 - 8 * k));
  return OK;
}

enum status digest_unbase64(const char *text, size_t len, unsigned char *out, size_t *out_len)
{
  unsigned group = 0;
  size_t digits = 0, padding = 0;
  *out_len = 0;
  for (size_t i = 0; i < len; i++) {
    int six = sextet(text[i]);
    if (text[i] == '\n' || text[i] == '\r') continue;
    if (text[i] == '=') {
      if (digits < 2) return INVALID;
      padding++;
      six = 0;
    } else if (six < 0 || padding) {
      return INVALID;
    }
    group = group << 6 | (unsigned)six;
    if (++digits < 4) continue;
    if (ungroup(group, padding, out, out_len)) return INVALID;
    group = 0;
    digits = 0; /* so no padding can follow padding */
  }
  return digits ? INVALID : OK;
}

enum status digest_random(void *out, size_t len)
{
  return len <= DIGEST_MAX_BYTES && RAND_bytes(out, (int)len) == 1 ? OK : NO_MEMORY;
}
