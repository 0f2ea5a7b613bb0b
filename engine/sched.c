#include "sched_entry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BURST_NS (10u * 1000000000ull)
#define BACKOFF_MAX_S 60.0
#define THROTTLED_MAX_S 300.0
#define CONFLICTS_IN_A_ROW 20   /* after that many, back off */
#define IDLE_JITTER 0.05
#define START_SPREAD_S 0.002    /* per entry of the first list */
#define START_SPREAD_MAX_S 10.0

const double sched_buckets[SCHED_BUCKETS] = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
  0.5, 1, 2.5, 10 };

/* The libc's is global and need not be good; spreading needs no more than this. */
double sched_random(void)
{
  uint64_t x = uv_hrtime();
  x ^= x >> 31;
  x *= 0x9e3779b97f4a7c15u;
  x ^= x >> 29;
  x *= 0xbf58476d1ce4e5b9u;
  return (double)((x ^ (x >> 32)) >> 11) / 9007199254740992.0;
}

static double now_of(const struct sched *sched)
{
  return clock_monotonic(sched->options.clock);
}

/* The timer fires at the next due time, or in the loop's next turn when there is work. */
static void arm(struct sched *sched)
{
  if (sched->stopped || sched->pumping) return;
  bool free_place = sched->stats.running < sched->options.max_running && !sched->draining;
  if (sched->doomed || (sched->first && free_place)) clock_timer_at(&sched->timer, 0);
  else if (sched->heap_len) clock_timer_at(&sched->timer, sched->heap[1]->due);
  else clock_timer_stop(&sched->timer);
}

static void enqueue(struct entry *entry, enum entry_cause cause)
{
  struct sched *sched = entry->sched;
  heap_remove(sched, entry);
  entry->state = ENTRY_QUEUED;
  entry->cause = cause;
  entry->next = NULL;
  if (sched->last) sched->last->next = entry;
  else sched->first = entry;
  sched->last = entry;
  sched->stats.queued++;
}

static void plan(struct entry *entry, double delay, enum entry_cause cause)
{
  entry->planned = cause;
  if (!heap_put(entry->sched, entry, now_of(entry->sched) + delay)) enqueue(entry, cause);
}

static void on_change(struct looker *looker)
{
  struct entry *entry = (struct entry *)((char *)looker - offsetof(struct entry, looker));
  if (entry->removed) return;
  if (entry->state == ENTRY_RUNNING) entry->dirty = true;
  if (entry->state != ENTRY_IDLE) return;
  enqueue(entry, entry->planned == CAUSE_START ? CAUSE_START : CAUSE_CHANGE);
  arm(entry->sched);
}

/* Entries ------------------------------------------------------------------------------------- */

static void free_entry(struct entry *entry)
{
  looker_release(&entry->looker);
  heap_remove(entry->sched, entry);
  if (entry->key) map_remove(&entry->sched->entries, entry->key);
  free(entry->space);
  free(entry->name);
  free(entry);
}

static void keep(struct entry *entry)
{
  struct cache_ref own = { entry->sched->options.kind, entry->space, entry->name };
  cache_keep(entry->sched->options.cache, &own, &entry->looker);
}

static void begin(struct entry *entry)
{
  struct sched *sched = entry->sched;
  bool listed = cache_listed(sched->options.cache, sched->options.kind);
  double spread = listed ? 0 : fmin((double)++sched->started * START_SPREAD_S, START_SPREAD_MAX_S);
  keep(entry);
  plan(entry, spread * sched_random(), CAUSE_START);
  arm(sched);
}

static void add(struct sched *sched, const char *space, const char *name, const char *key)
{
  struct entry *entry = calloc(1, sizeof *entry);
  if (!entry) return;
  *entry = (struct entry){ .sched = sched, .space = strdup(space), .name = strdup(name),
    .looker.on_change = on_change };
  job_init(&entry->job, BURST_NS, on_tick_end);
  if (entry->space && entry->name) entry->key = map_put(&sched->entries, key, entry);
  if (entry->key) begin(entry);
  else free_entry(entry);
}

static void doom(struct entry *entry)
{
  entry->next = entry->sched->doomed;
  entry->sched->doomed = entry;
  arm(entry->sched);
}

/* Inside the cache: takes notes only. What an entry looked at is released by the pump. */
static void on_object(void *data, const char *space, const char *name, bool present)
{
  struct sched *sched = data;
  char key[1024];
  snprintf(key, sizeof key, "%s/%s", space, name);
  struct entry *entry = map_get(&sched->entries, key);
  if (sched->stopped) return;
  if (!entry) {
    if (present) add(sched, space, name, key);
    return;
  }
  entry->reborn = entry->removed && present;
  if (present || entry->removed) return;
  entry->removed = true;
  heap_remove(sched, entry);
  if (entry->state == ENTRY_IDLE) doom(entry);
}

/* Gone for good, or a new object of the same name. Calls Lua. */
static void bury(struct entry *entry)
{
  entry_forget(entry);
  if (!entry->reborn) {
    free_entry(entry);
    return;
  }
  entry->removed = entry->reborn = entry->dirty = false;
  entry->failures = entry->conflicts = 0;
  begin(entry);
}

/* Ticks --------------------------------------------------------------------------------------- */

static void note_lateness(struct entry *entry)
{
  struct sched_stats *stats = &entry->sched->stats;
  double late = now_of(entry->sched) - entry->due;
  size_t bucket = 0;
  if (entry->cause != CAUSE_DUE) return;
  if (late < 0) late = 0;
  while (bucket < SCHED_BUCKETS && late > sched_buckets[bucket]) bucket++;
  stats->late_count[bucket]++;
  stats->late_sum += late;
  if (late > stats->late_max) stats->late_max = late;
}

static void start_tick(struct entry *entry)
{
  struct sched *sched = entry->sched;
  lua_State *L = sched->options.L;
  entry->state = ENTRY_RUNNING;
  entry->dirty = entry->wrote = false;
  entry->throttled = 0;
  entry->result = (struct tick_result){ 0 };
  sched->stats.running++;
  sched->stats.ticks++;
  note_lateness(entry);
  looker_begin(&entry->looker);
  CHECK(lua_checkstack(L, 4));
  lua_pushcfunction(L, tick_main);
  job_start(&entry->job, L);
}

/* How long until a failed tick is repeated. */
static double pause_of(struct entry *entry)
{
  double backoff = fmin(ldexp(1, entry->failures < 10 ? (int)entry->failures : 10), BACKOFF_MAX_S);
  enum status code = entry->result.code;
  if (code == CONFLICT && ++entry->conflicts <= CONFLICTS_IN_A_ROW)
    return 0.02 + 0.08 * sched_random();
  entry->failures++;
  if (code == THROTTLED && entry->throttled > 0) return fmin(entry->throttled, THROTTLED_MAX_S);
  return backoff * (1 + 0.1 * sched_random());
}

static void plan_repeat(struct entry *entry)
{
  double delay = pause_of(entry);
  if (entry->result.code) entry->sched->stats.repeats++;
  /* What changed meanwhile may be what it failed for. */
  if (entry->dirty) delay = fmin(delay, 0.02 + 0.08 * sched_random());
  plan(entry, delay, entry->dirty ? CAUSE_CHANGE : CAUSE_RETRY);
}

/* A tick that was due and wrote nothing has time; one between two steps must not be moved. */
static void plan_next(struct entry *entry)
{
  double after = entry->result.after;
  bool idle = !entry->wrote && (entry->cause == CAUSE_DUE || entry->cause == CAUSE_START);
  entry->failures = entry->conflicts = 0;
  entry->planned = CAUSE_DUE;
  looker_end(&entry->looker);
  if (entry->dirty) enqueue(entry, CAUSE_CHANGE);
  else if (after >= 0)
    plan(entry, idle ? after * (1 + IDLE_JITTER * sched_random()) : after, CAUSE_DUE);
}

void sched_entry_ended(struct entry *entry)
{
  struct sched *sched = entry->sched;
  sched->stats.running--;
  entry->state = ENTRY_IDLE;
  if (sched->stopped) return;
  if (entry->removed) doom(entry);
  else if (entry->result.failed) plan_repeat(entry);
  else plan_next(entry);
  arm(sched);
}

/* The pump ------------------------------------------------------------------------------------ */

static void take_due(struct sched *sched)
{
  double now = now_of(sched);
  while (sched->heap_len && sched->heap[1]->due <= now)
    enqueue(sched->heap[1], sched->heap[1]->planned);
}

static struct entry *take_first(struct sched *sched)
{
  struct entry *entry = sched->first;
  sched->first = entry->next;
  if (!sched->first) sched->last = NULL;
  sched->stats.queued--;
  entry->state = ENTRY_IDLE;
  return entry;
}

/* Only here ticks begin and entries end, always at the bottom of the stack. */
static void pump(struct clock_timer *timer)
{
  struct sched *sched = timer->data;
  sched->pumping = true;
  take_due(sched);
  while (sched->doomed && !sched->stopped) {
    struct entry *entry = sched->doomed;
    sched->doomed = entry->next;
    bury(entry);
  }
  while (sched->first && !sched->stopped && !sched->draining &&
    sched->stats.running < sched->options.max_running) {
    struct entry *entry = take_first(sched);
    if (entry->removed) doom(entry);
    else start_tick(entry);
  }
  sched->pumping = false;
  arm(sched);
}

/* Life ---------------------------------------------------------------------------------------- */

static void on_closed(struct clock_timer *timer)
{
  free(timer->data);
}

struct sched *sched_new(const struct sched_options *options, struct reason *why)
{
  struct sched *sched = calloc(1, sizeof *sched);
  if (!sched) {
    reason_set(why, NO_MEMORY, "no memory for the scheduler");
    return NULL;
  }
  sched->options = *options;
  clock_timer_init(&sched->timer, options->clock, pump, sched);
  if (!cache_follow(options->cache, options->kind, on_object, sched, why)) return sched;
  sched_stop(sched);
  sched_free(sched);
  return NULL;
}

void sched_drain(struct sched *sched)
{
  sched->draining = true;
}

void sched_stop(struct sched *sched)
{
  struct map_walk walk = { 0 };
  struct entry *entry;
  sched->stopped = true;
  clock_timer_stop(&sched->timer);
  while ((entry = map_next(&sched->entries, &walk))) {
    if (entry->job.state == JOB_WAITING) job_cancel(&entry->job);
  }
}

void sched_free(struct sched *sched)
{
  struct map_walk walk = { 0 };
  struct entry *entry;
  CHECK(sched->stopped);
  while ((entry = map_next(&sched->entries, &walk))) free_entry(entry);
  map_close(&sched->entries);
  free(sched->heap);
  clock_timer_close(&sched->timer, on_closed);
}

void sched_stats(const struct sched *sched, struct sched_stats *stats)
{
  double now = now_of(sched);
  *stats = sched->stats;
  stats->entries = sched->entries.count;
  stats->late_now = 0;
  for (const struct entry *entry = sched->first; entry; entry = entry->next) {
    if (entry->cause == CAUSE_DUE && now - entry->due > stats->late_now)
      stats->late_now = now - entry->due;
  }
  if (sched->heap_len && now - sched->heap[1]->due > stats->late_now)
    stats->late_now = now - sched->heap[1]->due;
}
