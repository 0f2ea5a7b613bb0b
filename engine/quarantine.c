#include "quarantine.h"

#include <string.h>

#define LONGEST_MS (24u * 3600u * 1000u)

static const struct quarantine_entry *find(
  const struct quarantine *quarantine, const char *name, const char *sha256)
{
  for (size_t i = 0; i < quarantine->n; i++) {
    const struct quarantine_entry *entry = &quarantine->entries[i];
    if (!strcmp(entry->sha256, sha256) && !strcmp(entry->name, name)) return entry;
  }
  return NULL;
}

/* The entry of that script, a new one if need be. */
static struct quarantine_entry *entry_of(
  struct quarantine *quarantine, uint64_t now_ms, const char *name, const char *sha256)
{
  struct quarantine_entry *entry =
    (struct quarantine_entry *)find(quarantine, name, sha256); /* ours to change */
  if (!entry) {
    entry = quarantine->entries;
    if (quarantine->n < QUARANTINE_SIZE) entry += quarantine->n++;
    else
      for (size_t i = 1; i < QUARANTINE_SIZE; i++)
        if (quarantine->entries[i].touched_ms < entry->touched_ms) entry = &quarantine->entries[i];
    *entry = (struct quarantine_entry){ .suspect = false };
    snprintf(entry->name, sizeof entry->name, "%s", name);
    snprintf(entry->sha256, sizeof entry->sha256, "%s", sha256);
  }
  entry->touched_ms = now_ms;
  return entry;
}

enum status quarantine_look(const struct quarantine *quarantine, uint64_t now_ms, const char *name,
  const char *sha256, struct reason *why)
{
  const struct quarantine_entry *entry = find(quarantine, name, sha256);
  if (!entry || now_ms >= entry->until_ms) return OK;
  return reason_set(why, QUARANTINED, "%.150s; sha256 %.12s is quarantined for %llu s more",
    entry->why.text, sha256, (unsigned long long)(entry->until_ms - now_ms + 999) / 1000);
}

bool quarantine_suspects(const struct quarantine *quarantine, const char *name, const char *sha256)
{
  const struct quarantine_entry *entry = find(quarantine, name, sha256);
  return entry && entry->suspect;
}

void quarantine_suspect(
  struct quarantine *quarantine, uint64_t now_ms, const char *name, const char *sha256)
{
  entry_of(quarantine, now_ms, name, sha256)->suspect = true;
}

void quarantine_catch(struct quarantine *quarantine, uint64_t now_ms, const char *name,
  const char *sha256, const struct reason *why)
{
  struct quarantine_entry *entry = entry_of(quarantine, now_ms, name, sha256);
  uint64_t span = quarantine->first_ms;
  for (unsigned i = 0; i < entry->times && span < LONGEST_MS; i++) span *= 2;
  entry->suspect = true;
  entry->times++;
  entry->until_ms = now_ms + (span < LONGEST_MS ? span : LONGEST_MS);
  entry->why = *why;
}

void quarantine_clear(struct quarantine *quarantine, const char *name, const char *sha256)
{
  struct quarantine_entry *entry =
    (struct quarantine_entry *)find(quarantine, name, sha256); /* ours to change */
  if (!entry || !entry->suspect) return;
  entry->suspect = false;
  if (!entry->times) *entry = quarantine->entries[--quarantine->n];
}

unsigned quarantine_count(const struct quarantine *quarantine, uint64_t now_ms)
{
  unsigned n = 0;
  for (size_t i = 0; i < quarantine->n; i++) n += now_ms < quarantine->entries[i].until_ms;
  return n;
}
