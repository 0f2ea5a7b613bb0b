/* rfc3339.h - times as text, in UTC. */
#ifndef ENGINE_RFC3339_H
#define ENGINE_RFC3339_H

#include <stdbool.h>

#define RFC3339_SIZE 40

/* Seconds since the epoch, cut (not rounded) to `digits` (0 to 6) of a second. False before the
 * year 1 or after 9999. */
bool rfc3339_write(double seconds, int digits, char out[RFC3339_SIZE]);

/* A fraction and an offset are understood; anything else is false. */
bool rfc3339_read(const char *text, double *seconds);

#endif
