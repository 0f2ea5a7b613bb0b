#include "rfc3339.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Days since 1970-01-01 of a date in the Gregorian calendar, counted from March so that the leap
 * day is a year's last. */
static long days_of(long year, long month, long day)
{
  long y = month > 2 ? year : year - 1;
  long m = month > 2 ? month - 3 : month + 9;
  return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static void date_of(long days, long *year, long *month, long *day)
{
  long n = days + 719468; /* since March 1st of the year 0 */
  long era = n / 146097, doe = n % 146097;
  long yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  long doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  long m = (5 * doy + 2) / 153;
  *day = doy - (153 * m + 2) / 5 + 1;
  *month = m < 10 ? m + 3 : m - 9;
  *year = yoe + era * 400 + (*month <= 2);
}

bool rfc3339_write(double seconds, int digits, char out[RFC3339_SIZE])
{
  double whole = floor(seconds), scale = pow(10, digits);
  long year, month, day;
  if (!(whole >= -62135596800.0 && whole < 253402300800.0)) return false;
  double fraction = floor((seconds - whole) * scale + 1e-3); /* 0.1 must not become .099999 */
  if (fraction >= scale) fraction = scale - 1;
  long total = (long)whole, days = total / 86400, left = total % 86400;
  if (left < 0) {
    days--;
    left += 86400;
  }
  date_of(days, &year, &month, &day);
  int n = snprintf(out, RFC3339_SIZE, "%04ld-%02ld-%02ldT%02ld:%02ld:%02ld", year, month, day,
    left / 3600, left / 60 % 60, left % 60);
  if (digits > 0)
    n += snprintf(out + n, RFC3339_SIZE - (size_t)n, ".%0*ld", digits, (long)fraction);
  snprintf(out + n, RFC3339_SIZE - (size_t)n, "Z");
  return true;
}

/* Exactly `n` digits. */
static bool read_digits(const char **at, int n, long *value)
{
  *value = 0;
  for (; n; n--, ++*at) {
    if (!isdigit((unsigned char)**at)) return false;
    *value = *value * 10 + (**at - '0');
  }
  return true;
}

static bool skip(const char **at, const char *any)
{
  if (!**at || !strchr(any, **at)) return false;
  ++*at;
  return true;
}

static bool read_offset(const char **at, double *seconds)
{
  long hours, minutes, sign = **at == '-' ? 1 : -1;
  if (skip(at, "Zz")) return true;
  if (!skip(at, "+-") || !read_digits(at, 2, &hours) || !skip(at, ":") ||
    !read_digits(at, 2, &minutes))
    return false;
  if (hours > 23 || minutes > 59) return false;
  *seconds += (double)(sign * (hours * 3600 + minutes * 60));
  return true;
}

static long days_in(long year, long month)
{
  static const char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
  bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return days[month - 1] + (month == 2 && leap);
}

bool rfc3339_read(const char *text, double *seconds)
{
  long year, month, day, hour, minute, second;
  const char *at = text;
  bool date = read_digits(&at, 4, &year) && skip(&at, "-") && read_digits(&at, 2, &month) &&
    skip(&at, "-") && read_digits(&at, 2, &day) && skip(&at, "Tt ");
  bool time = date && read_digits(&at, 2, &hour) && skip(&at, ":") &&
    read_digits(&at, 2, &minute) && skip(&at, ":") && read_digits(&at, 2, &second);
  if (!time || month < 1 || month > 12 || day < 1 || day > days_in(year, month)) return false;
  if (hour > 23 || minute > 59 || second > 60) return false;
  double fraction = 0;
  if (skip(&at, ".")) {
    if (!isdigit((unsigned char)*at)) return false;
    for (double scale = 0.1; isdigit((unsigned char)*at); at++, scale /= 10)
      fraction += (*at - '0') * scale;
  }
  *seconds = (double)days_of(year, month, day) * 86400 +
    (double)(hour * 3600 + minute * 60 + second) + fraction;
  return read_offset(&at, seconds) && !*at;
}
