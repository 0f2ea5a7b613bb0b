#include "yaml_scalar.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool one_of(const char *text, const char *const *words)
{
  for (; *words; words++)
    if (!strcmp(text, *words)) return true;
  return false;
}

static const char *skip(const char *s, const char *set)
{
  return s + strspn(s, set);
}

/* [-+]?([0-9]+ | 0o[0-7]+ | 0x[0-9a-fA-F]+); sets base and where the digits begin. */
static bool is_integer(const char *s, int *base, const char **digits)
{
  if (*s == '-' || *s == '+') s++;
  bool prefixed = s[0] == '0' && (s[1] == 'x' || s[1] == 'o');
  *base = !prefixed ? 10 : s[1] == 'x' ? 16 : 8;
  *digits = prefixed ? s + 2 : s;
  const char *set = *base == 16 ? "0123456789abcdefABCDEF" : *base == 8 ? "01234567" : "0123456789";
  const char *end = skip(*digits, set);
  if (end == *digits || *end) return false;
  if (!prefixed && s[0] == '0' && !*skip(s, "01234567")) *base = 8;
  return true;
}

/* [-+]?(\.[0-9]+ | [0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_float(const char *s)
{
  static const char set[] = "0123456789";
  if (*s == '-' || *s == '+') s++;
  const char *whole = skip(s, set);
  const char *rest = *whole == '.' ? skip(whole + 1, set) : whole;
  if (whole == s && rest < s + 2) return false;
  if (*rest != 'e' && *rest != 'E') return !*rest;
  rest++;
  if (*rest == '-' || *rest == '+') rest++;
  const char *end = skip(rest, set);
  return end > rest && !*end;
}

static json_t *integer(const char *text, int base, const char *digits, struct reason *why)
{
  unsigned long long size = strtoull(digits, NULL, base); /* the largest there is when it is more */
  bool negative = *text == '-';
  if (size > (unsigned long long)INT64_MAX + negative) {
    reason_set(why, INVALID, "integer too big");
    return NULL;
  }
  /* Negated without the overflow that -INT64_MIN would be. */
  return json_integer(negative && size ? -(json_int_t)(size - 1) - 1 : (json_int_t)size);
}

static json_t *number(const char *text, struct reason *why)
{
  double value = strtod(text, NULL);
  if (isfinite(value)) return json_real(value);
  reason_set(why, INVALID, "real number overflow");
  return NULL;
}

json_t *yaml_scalar(const char *text, size_t len, struct reason *why)
{
  static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
  static const char *const trues[] = { "true", "True", "TRUE", NULL };
  static const char *const falses[] = { "false", "False", "FALSE", NULL };
  static const char *const strange[] = { ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
    "-.Inf", "-.INF", ".nan", ".NaN", ".NAN", NULL };
  const char *digits;
  int base;
  if (strlen(text) == len) {
    if (one_of(text, nulls)) return json_null();
    if (one_of(text, trues)) return json_true();
    if (one_of(text, falses)) return json_false();
    if (is_integer(text, &base, &digits)) return integer(text, base, digits, why);
    if (is_float(text)) return number(text, why);
    if (one_of(text, strange)) {
      reason_set(why, INVALID, "NaN and infinities have no JSON form");
      return NULL;
    }
  }
  json_t *value = json_stringn(text, len);
  if (!value) reason_set(why, INVALID, "text is not valid UTF-8");
  return value;
}
