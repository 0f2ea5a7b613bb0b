/* confine.h - what a worker gives up before it runs anything of anybody.
 *
 *   no other descriptor than 0 | limits | no new privileges, no dump | the system call filter
 *
 * After it the process can compute, read and write descriptor 0, look at the clock and end. Any
 * other system call ends it with SIGSYS. */
#ifndef ENGINE_CONFINE_H
#define ENGINE_CONFINE_H

#include "reason.h"

#include <stdbool.h>
#include <stddef.h>

struct confine_options {
  size_t memory;      /* bytes of address space; not limited under a sanitizer, which maps terabytes */
  unsigned cpu_s;     /* seconds of CPU, then the kernel ends the process */
  bool without_filter; /* for specs: as if the kernel had none */
};

/* OK, or what the kernel refused (FORBIDDEN); the rest is done nevertheless. From here on the process
 * ends with its parent. */
enum status must_check confine(const struct confine_options *options, struct reason *why);

#endif
