/* quarantine.h - scripts that ended a worker, by name and sha256: what happened, and until when
 * they are not run.
 *
 *   unknown --suspect--> SUSPECT --clear--> unknown
 *                           |
 *   unknown --catch-----> CAUGHT --time--> SUSPECT --clear--> free
 *
 * Each further time that it is caught lasts twice as long, up to a day. Bounded: the entry that was
 * touched longest ago makes room. */
#ifndef ENGINE_QUARANTINE_H
#define ENGINE_QUARANTINE_H

#include "pool.h"

#define QUARANTINE_SIZE 256

struct quarantine_entry {
  char name[POOL_NAME_SIZE], sha256[POOL_SHA_SIZE];
  bool suspect;
  unsigned times;     /* it was caught */
  uint64_t until_ms, touched_ms;
  struct reason why;
};

struct quarantine {
  uint64_t first_ms;
  size_t n;
  struct quarantine_entry entries[QUARANTINE_SIZE];
};

/* QUARANTINED with `why` while it is; OK else. */
enum status must_check quarantine_look(const struct quarantine *quarantine, uint64_t now_ms,
  const char *name, const char *sha256, struct reason *why);

/* Whether it must run alone. */
bool quarantine_suspects(const struct quarantine *quarantine, const char *name, const char *sha256);

void quarantine_suspect(
  struct quarantine *quarantine, uint64_t now_ms, const char *name, const char *sha256);
void quarantine_catch(struct quarantine *quarantine, uint64_t now_ms, const char *name,
  const char *sha256, const struct reason *why);

/* It ran alone and ended well; how often it was caught is remembered. */
void quarantine_clear(struct quarantine *quarantine, const char *name, const char *sha256);

unsigned quarantine_count(const struct quarantine *quarantine, uint64_t now_ms);

#endif
