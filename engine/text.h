/* text.h - bytes from outside, made safe to print. */
#ifndef ENGINE_TEXT_H
#define ENGINE_TEXT_H

#include "buf.h"

/* The length of the well-formed UTF-8 sequence at `s` (1 to 4), or 0; its code point in `*cp`. */
size_t text_decode(const char *s, size_t len, unsigned *cp);

/* Appends the text as a JSON string with its quotes. Control characters (C0, DEL, C1) and the line
 * separators are escaped; what is not UTF-8 becomes U+FFFD. */
enum status must_check text_quote(struct buf *out, const char *text, size_t len);

/* Makes it one printable line of UTF-8, in place: the same characters become blanks, and bytes that
 * are not UTF-8 question marks. */
void text_plain(char *text);

#endif
