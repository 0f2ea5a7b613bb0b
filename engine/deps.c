#include "deps.h"

#include <stdlib.h>
#include <string.h>

struct look {
  struct looker *looker;
  struct looks *looks;
  struct look *next, **link;           /* among the looker's */
  struct look *next_here, **link_here; /* among the object's */
  unsigned round;
  bool kept;
  bool writing;
  bool mixed;  /* while writing: more than one version came, or one that cannot be kept */
  char *seen;  /* while writing: the version that came */
};

/* Unlinks and frees; the object's side is not told. */
static void forget(struct look *look)
{
  *look->link = look->next;
  if (look->next) look->next->link = look->link;
  *look->link_here = look->next_here;
  if (look->next_here) look->next_here->link_here = look->link_here;
  free(look->seen);
  free(look);
}

static void drop(struct look *look)
{
  struct looks *looks = look->looks;
  forget(look);
  if (!looks->head) looks->on_last(looks);
}

static struct look *find(const struct looks *looks, const struct looker *looker)
{
  struct look *look = looker->looks;
  while (look && look->looks != looks) look = look->next;
  return look;
}

void looker_begin(struct looker *looker)
{
  looker->round++;
}

void looker_end(struct looker *looker)
{
  for (struct look *look = looker->looks, *next; look; look = next) {
    next = look->next;
    if (!look->kept && look->round != looker->round) drop(look);
  }
}

void looker_release(struct looker *looker)
{
  while (looker->looks) drop(looker->looks);
}

static struct look *add(struct looks *looks, struct looker *looker)
{
  struct look *look = calloc(1, sizeof *look);
  if (!look) return NULL;
  *look = (struct look){ .looker = looker,
    .looks = looks,
    .next = looker->looks,
    .link = &looker->looks,
    .next_here = looks->head,
    .link_here = &looks->head };
  if (look->next) look->next->link = &look->next;
  if (look->next_here) look->next_here->link_here = &look->next_here;
  looker->looks = looks->head = look;
  return look;
}

bool look_at(struct looks *looks, struct looker *looker, bool kept)
{
  struct look *look = find(looks, looker);
  if (!look) look = add(looks, looker);
  if (!look) return false;
  look->round = looker->round;
  look->kept |= kept;
  return true;
}

void look_writing(struct looks *looks, struct looker *looker)
{
  struct look *look = find(looks, looker);
  if (look) look->writing = true;
}

void look_written(struct looks *looks, struct looker *looker, const char *version)
{
  struct look *look = find(looks, looker);
  if (!look) return;
  bool foreign =
    look->mixed || (look->seen && (!version || (version[0] && strcmp(look->seen, version))));
  free(look->seen);
  look->seen = NULL;
  look->writing = look->mixed = false;
  if (foreign) looker->on_change(looker);
}

static void note(struct look *look, const char *version)
{
  if (look->seen) look->mixed |= strcmp(look->seen, version) != 0;
  else if (!(look->seen = strdup(version))) look->mixed = true;
}

void looks_changed(struct looks *looks, const char *version, const struct looker *except)
{
  for (struct look *look = looks->head, *next; look; look = next) {
    next = look->next_here;
    if (look->looker == except) continue;
    if (look->writing) note(look, version);
    else look->looker->on_change(look->looker);
  }
}

void looks_close(struct looks *looks)
{
  while (looks->head) forget(looks->head);
}
