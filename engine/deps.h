/* deps.h - who looked at what.
 *
 * A looker is a Canary whose ticks look at objects; a `struct looks` is the object's side. A look
 * lives until a whole tick went by without it. A change of an object tells its lookers, but never
 * the one that made it: while its write is under way the versions that the watch brings are only
 * noted, and judged when the answer says which of them was the write's own. */
#ifndef ENGINE_DEPS_H
#define ENGINE_DEPS_H

#include <stdbool.h>

struct look;

struct looker {
  struct look *looks;
  unsigned round;
  void (*on_change)(struct looker *looker); /* may only take a note */
};

struct looks {
  struct look *head;
  void (*on_last)(struct looks *looks); /* nobody looks any more; may free what holds `looks` */
};

/* A tick begins; it went through, and what it did not look at is forgotten; the looker goes. */
void looker_begin(struct looker *looker);
void looker_end(struct looker *looker);
void looker_release(struct looker *looker);

/* Notes a look; `kept` ones stay until looker_release. False when there is no memory. */
bool look_at(struct looks *looks, struct looker *looker, bool kept);

/* Between these two the looker writes; `version` is what its write made, NULL when that is unknown,
 * "" when it must be the only one that came. */
void look_writing(struct looks *looks, struct looker *looker);
void look_written(struct looks *looks, struct looker *looker, const char *version);

/* Tells everybody but `except` (may be NULL) that there is a new version. */
void looks_changed(struct looks *looks, const char *version, const struct looker *except);

/* The object goes without a word. */
void looks_close(struct looks *looks);

#endif
