#include "text.h"

#include <string.h>

#include <stdbool.h>

size_t text_decode(const char *s, size_t len, unsigned *cp)
{
  static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
  const unsigned char *u = (const unsigned char *)s;
  if (!len) return 0;
  size_t n = u[0] < 0x80 ? 1 : u[0] >> 5 == 6 ? 2 : u[0] >> 4 == 14 ? 3 : u[0] >> 3 == 30 ? 4 : 0;
  if (!n || n > len) return 0;
  unsigned c = n == 1 ? u[0] : u[0] & (0x7fu >> n);
  for (size_t i = 1; i < n; i++) {
    if (u[i] >> 6 != 2) return 0;
    c = c << 6 | (u[i] & 0x3fu);
  }
  if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return 0;
  *cp = c;
  return n;
}

/* The letter after the backslash, or 0. */
static char short_escape(unsigned cp)
{
  switch (cp) {
  case '"': case '\\': return (char)cp;
  case '\b': return 'b';
  case '\f': return 'f';
  case '\n': return 'n';
  case '\r': return 'r';
  case '\t': return 't';
  default: return 0;
  }
}

static bool dangerous(unsigned cp)
{
  return cp < 0x20 || (cp >= 0x7f && cp <= 0x9f) || cp == 0x2028 || cp == 0x2029;
}

static enum status escape(struct buf *out, unsigned cp)
{
  char letter = short_escape(cp);
  return letter ? buf_addf(out, "\\%c", letter) : buf_addf(out, "\\u%04x", cp);
}

enum status text_quote(struct buf *out, const char *text, size_t len)
{
  size_t plain = 0, at = 0, before = out->len; /* text[plain..at) is added as it is */
  enum status status = buf_add(out, "\"", 1);
  while (!status && at < len) {
    unsigned cp = 0xfffd;
    size_t n = text_decode(text + at, len - at, &cp);
    if (n && !short_escape(cp) && !dangerous(cp)) {
      at += n;
      continue;
    }
    status = buf_add(out, text + plain, at - plain);
    if (!status) status = escape(out, cp);
    plain = at += n ? n : 1;
  }
  if (!status) status = buf_add(out, text + plain, len - plain);
  if (!status) status = buf_add(out, "\"", 1);
  if (status && out->data) out->data[out->len = before] = '\0';
  return status;
}

void text_plain(char *text)
{
  size_t len = strlen(text);
  for (size_t at = 0, n; at < len; at += n ? n : 1) {
    unsigned cp;
    n = text_decode(text + at, len - at, &cp);
    if (!n) text[at] = '?';
    else if (dangerous(cp)) memset(text + at, ' ', n);
  }
}
