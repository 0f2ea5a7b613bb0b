/* digest.h - SHA-256, HMAC, hex, base64 and random bytes, from libcrypto. */
#ifndef ENGINE_DIGEST_H
#define ENGINE_DIGEST_H

#include "reason.h"

#include <stddef.h>

#define DIGEST_SHA256_BYTES 32
#define DIGEST_MAX_BYTES (64u << 20) /* of any input */

/* Sizes of what the functions below write, the NUL of a text included. */
#define DIGEST_HEX_SIZE(len) ((len) * 2 + 1)
#define DIGEST_BASE64_SIZE(len) (((len) + 2) / 3 * 4 + 1)
#define DIGEST_UNBASE64_SIZE(len) ((len) / 4 * 3 + 3)

enum status must_check digest_sha256(const void *bytes, size_t len,
  unsigned char out[DIGEST_SHA256_BYTES]);
enum status must_check digest_hmac_sha256(const void *key, size_t key_len, const void *bytes,
  size_t len, unsigned char out[DIGEST_SHA256_BYTES]);

/* Lower case, ended by a NUL. */
void digest_hex(const void *bytes, size_t len, char *out);

/* The standard alphabet, with padding and without line breaks, ended by a NUL. */
void digest_base64(const void *bytes, size_t len, char *out);

/* Padding is required, line breaks are skipped, anything else is INVALID. */
enum status must_check digest_unbase64(const char *text, size_t len, unsigned char *out,
  size_t *out_len);

enum status must_check digest_random(void *out, size_t len);

#endif
