/* digest.h - SHA-256, HMAC, RSA signatures, hex, base64 and random bytes, from libcrypto. */
#ifndef ENGINE_DIGEST_H
#define ENGINE_DIGEST_H

#include "reason.h"

#include <stddef.h>

#define DIGEST_SHA256_BYTES 32
#define DIGEST_MAX_BYTES (64u << 20) /* of any input */
#define DIGEST_PEM_MAX_BYTES (16u << 10)
#define DIGEST_SIGNED_MAX_BYTES (64u << 10)
#define DIGEST_RSA_MAX_BYTES 512 /* of a signature: keys of 2048 to 4096 bits */

/* Sizes of what the functions below write, the NUL of a text included. */
#define DIGEST_HEX_SIZE(len) ((len) * 2 + 1)
#define DIGEST_BASE64_SIZE(len) (((len) + 2) / 3 * 4 + 1)
#define DIGEST_UNBASE64_SIZE(len) ((len) / 4 * 3 + 3)

enum status must_check digest_sha256(const void *bytes, size_t len,
  unsigned char out[DIGEST_SHA256_BYTES]);
enum status must_check digest_hmac_sha256(const void *key, size_t key_len, const void *bytes,
  size_t len, unsigned char out[DIGEST_SHA256_BYTES]);

/* RSASSA-PKCS1-v1_5 with SHA-256 (RS256 of RFC 7518). `pem` is an unencrypted private key, PKCS #8 or
 * PKCS #1. INVALID for anything else, also for keys that are too short to be safe or so long that
 * signing would hold up the loop; TOO_LARGE beyond the sizes above. */
enum status must_check digest_rs256(const char *pem, size_t pem_len, const void *bytes, size_t len,
  unsigned char out[DIGEST_RSA_MAX_BYTES], size_t *out_len);

/* Lower case, ended by a NUL. */
void digest_hex(const void *bytes, size_t len, char *out);

/* The standard alphabet, with padding and without line breaks, ended by a NUL. */
void digest_base64(const void *bytes, size_t len, char *out);

/* Padding is required, line breaks are skipped, anything else is INVALID. */
enum status must_check digest_unbase64(const char *text, size_t len, unsigned char *out,
  size_t *out_len);

enum status must_check digest_random(void *out, size_t len);

#endif
