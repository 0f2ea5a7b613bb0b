#include "pool.h"

#include "pool_hand.h"

#include <stdlib.h>
#include <string.h>

#define LOSSES_MAX 3       /* workers that one run may lose without being to blame */
#define FREE_FAILURES 2    /* workers in a row that may be replaced at once */
#define BACK_OFF_MS 50     /* then; doubled with each */
#define BACK_OFF_MAX_MS 1000

static void on_turn(uv_timer_t *timer);

/* Runs ----------------------------------------------------------------------------------------- */

void pool_link(struct pool_run **head, struct pool_run *run)
{
  run->next = *head;
  run->link = head;
  if (run->next) run->next->link = &run->next;
  *head = run;
}

void pool_unlink(struct pool_run *run)
{
  *run->link = run->next;
  if (run->next) run->next->link = run->link;
  run->next = NULL;
  run->link = NULL;
}

static void enqueue(struct pool *pool, struct pool_run *run)
{
  struct pool_run **link = &pool->queue;
  while (*link) link = &(*link)->next;
  pool_link(link, run);
}

static void on_run_closed(uv_handle_t *handle)
{
  struct pool_run *run = handle->data;
  buf_close(&run->frame);
  free(run);
}

/* Freed in the loop's next turn. */
static void let_go(struct pool_run *run)
{
  pool_unlink(run);
  run->state = POOL_ENDED;
  run->pool->runs--;
  run->pool->ended++;
  uv_close((uv_handle_t *)&run->deadline, on_run_closed);
}

void pool_end(struct pool_run *run, const json_t *result, const struct reason *why)
{
  let_go(run);
  pool_turn(run->pool, 0);
  run->events.on_end(run->data, result, why);
}

static void say(const struct pool_run *run, struct reason *why, enum status code, const char *text)
{
  reason_set(why, code, "%.100s: %s", run->name, text);
}

static void on_deadline(uv_timer_t *timer)
{
  struct pool_run *run = timer->data;
  struct pool *pool = run->pool;
  struct reason why;
  char text[200];
  bool calls = run->state == POOL_CALLING || run->state == POOL_LATE;
  const char *where = calls ? ", waiting for " : "", *what = calls ? run->call : "";
  if (run->state == POOL_QUEUED) {
    where = ", waiting for a worker: ";
    what = pool->trouble.code ? pool->trouble.text : "all are busy";
  }
  snprintf(text, sizeof text, "did not end within %.1f s%s%.130s", (double)run->deadline_ms / 1000, where,
    what);
  say(run, &why, TIMEOUT, text);
  if (run->hand) hand_forget(run->hand, run);
  pool_end(run, NULL, &why);
}

/* Handing out ---------------------------------------------------------------------------------- */

/* The free worker with the fewest runs. */
static struct hand *find_free(
  const struct pool *pool, const struct pool_run *run, const struct hand *reserved)
{
  struct hand *best = NULL;
  for (unsigned i = 0; i < pool->options.workers; i++) {
    struct hand *hand = pool->hands[i];
    if (!hand || hand == reserved || !hand_is_free(hand, run->memory) || hand_is_old(hand)) continue;
    bool alone = hand->runs && quarantine_suspects(&pool->quarantine, hand->runs->name,
      hand->runs->sha256);
    if (!alone && (!best || hand_load(hand) < hand_load(best))) best = hand;
  }
  return best;
}

/* A worker that runs nothing, for a suspect; else `*reserved` is the one that is left to empty. */
static struct hand *find_empty(
  const struct pool *pool, const struct pool_run *run, struct hand **reserved)
{
  struct hand *best = find_free(pool, run, NULL);
  if (best && !hand_load(best)) return best;
  for (unsigned i = 0; i < pool->options.workers; i++) {
    struct hand *hand = pool->hands[i];
    if (!hand) return NULL; /* there may be a fresh one */
    if (!*reserved || hand_load(hand) < hand_load(*reserved)) *reserved = hand;
  }
  return NULL;
}

static unsigned count_starting(const struct pool *pool)
{
  unsigned n = 0;
  for (unsigned i = 0; i < pool->options.workers; i++) n += pool->hands[i] && !pool->hands[i]->ready;
  return n;
}

/* For runs that found no worker. */
static void start_some(struct pool *pool, unsigned wanted)
{
  uint64_t now = uv_now(pool->options.loop), soonest = 0;
  unsigned starting = count_starting(pool);
  for (unsigned i = 0; i < pool->options.workers && starting < wanted; i++) {
    if (pool->hands[i]) continue;
    if (now < pool->not_before[i]) {
      if (!soonest || pool->not_before[i] < soonest) soonest = pool->not_before[i];
      continue;
    }
    pool->hands[i] = hand_start(pool, i, &pool->trouble);
    if (pool->hands[i]) {
      starting++;
      continue;
    }
    log_f(pool->options.log, LOG_ERROR, "%s", pool->trouble.text);
    pool->not_before[i] = now + BACK_OFF_MAX_MS;
    if (!soonest || pool->not_before[i] < soonest) soonest = pool->not_before[i];
  }
  if (soonest) pool_turn(pool, soonest - now);
}

static void drop_old(struct pool *pool)
{
  for (unsigned i = 0; i < pool->options.workers; i++) {
    struct hand *hand = pool->hands[i];
    if (hand && hand->ready && !hand_load(hand) && hand_is_old(hand)) hand_lose(hand, NULL, 0);
  }
}

/* Why a run may not go to the worker that was found for it. */
static bool refuse(struct pool *pool, struct pool_run *run, const struct hand *hand)
{
  struct reason why;
  enum status status = quarantine_look(&pool->quarantine, uv_now(pool->options.loop), run->name,
    run->sha256, &why);
  if (!status && run->tenant && hand && hand->unconfined.text[0]) {
    char text[200];
    snprintf(text, sizeof text, "is a tenant's, and workers are not confined here: %.120s",
      hand->unconfined.text);
    say(run, &why, REFUSED, text);
    status = REFUSED;
  }
  if (status) pool_end(run, NULL, &why);
  return status;
}

/* One pass over the queue; false: it has changed under a callback and must begin again. */
static bool pass(struct pool *pool, unsigned *waiting)
{
  struct hand *reserved = NULL;
  *waiting = 0;
  for (struct pool_run *run = pool->queue, *next; run; run = next) {
    next = run->next;
    bool alone = quarantine_suspects(&pool->quarantine, run->name, run->sha256);
    struct hand *hand = alone ? find_empty(pool, run, &reserved) : find_free(pool, run, reserved);
    if (refuse(pool, run, hand)) return false;
    if (!hand) {
      ++*waiting;
      continue;
    }
    pool_unlink(run);
    hand_take(hand, run);
  }
  return true;
}

static void on_turn(uv_timer_t *timer)
{
  struct pool *pool = timer->data;
  unsigned waiting;
  drop_old(pool);
  while (!pass(pool, &waiting)) continue;
  if (waiting) start_some(pool, waiting);
}

void pool_turn(struct pool *pool, uint64_t ms)
{
  if (ms && uv_is_active((uv_handle_t *)&pool->turn) && uv_timer_get_due_in(&pool->turn) <= ms)
    return;
  CHECK(!uv_timer_start(&pool->turn, on_turn, ms, 0));
}

/* Lost workers --------------------------------------------------------------------------------- */

static void back_off(struct pool *pool, const struct hand *hand)
{
  unsigned slot = hand->slot;
  uint64_t ms = BACK_OFF_MS;
  pool->failures[slot] = hand->finished ? 0 : pool->failures[slot] + 1;
  if (pool->failures[slot] <= FREE_FAILURES) ms = 0;
  for (unsigned i = FREE_FAILURES + 1; i < pool->failures[slot] && ms < BACK_OFF_MAX_MS; i++) ms *= 2;
  pool->not_before[slot] = uv_now(pool->options.loop) + ms;
}

static void blame(struct pool *pool, const struct due *head, const struct reason *cause, bool alone)
{
  uint64_t now = uv_now(pool->options.loop);
  if (alone) quarantine_catch(&pool->quarantine, now, head->name, head->sha256, cause);
  else quarantine_suspect(&pool->quarantine, now, head->name, head->sha256);
  const struct log_field fields[] = { { "script", head->name }, { "sha256", head->sha256 },
    { "code", status_name(cause->code) }, { NULL, NULL } };
  char text[sizeof cause->text + 64];
  snprintf(text, sizeof text, "a worker is lost: %s%s", cause->text,
    alone ? "; the script is quarantined" : "; the script runs alone from now on");
  log_write(pool->options.log, LOG_WARN, text, fields);
}

void pool_lost(struct hand *hand, const struct due *head, const struct reason *cause)
{
  struct pool *pool = hand->pool;
  struct pool_run *over = NULL;
  bool alone = hand_load(hand) == 1;
  struct pool_run *guilty = head && cause && alone ? head->run : NULL;
  pool->hands[hand->slot] = NULL;
  back_off(pool, hand);
  if (head && cause) blame(pool, head, cause, alone);
  while (hand->runs) {
    struct pool_run *run = hand->runs;
    pool_unlink(run);
    bool late = run->state == POOL_CALLING;
    run->hand = NULL;
    run->state = late ? POOL_LATE : POOL_QUEUED;
    if (run == guilty || ++run->losses > LOSSES_MAX) pool_link(&over, run);
    else pool_link(late ? &pool->late : &pool->queue, run);
  }
  pool_turn(pool, 0);
  while (over) {
    struct reason why;
    say(over, &why, CRASH, "lost its worker too often");
    pool_end(over, NULL, over == guilty ? cause : &why);
  }
}

/* The pool ------------------------------------------------------------------------------------- */

struct pool *pool_new(const struct pool_options *options, struct reason *why)
{
  struct pool *pool = calloc(1, sizeof *pool);
  if (!pool) {
    reason_set(why, NO_MEMORY, "no memory for the workers");
    return NULL;
  }
  CHECK(options->workers && options->workers <= POOL_WORKERS_MAX);
  pool->options = *options;
  pool->quarantine.first_ms = options->quarantine_ms;
  CHECK(!uv_timer_init(options->loop, &pool->turn));
  pool->turn.data = pool;
  uv_unref((uv_handle_t *)&pool->turn);
  return pool;
}

static void on_pool_closed(uv_handle_t *handle)
{
  free(handle->data);
}

void pool_free(struct pool *pool)
{
  for (unsigned i = 0; i < pool->options.workers; i++) {
    struct hand *hand = pool->hands[i];
    if (!hand) continue;
    while (hand->runs) let_go(hand->runs);
    hand_lose(hand, NULL, 0);
  }
  while (pool->queue) let_go(pool->queue);
  while (pool->late) let_go(pool->late);
  uv_close((uv_handle_t *)&pool->turn, on_pool_closed);
}

static enum status write_order(struct pool_run *run, const struct pool_order *o)
{
  struct frame_draft draft = frame_open(&run->frame, FRAME_RUN, run->id);
  frame_put_text(&draft, o->name);
  frame_put_text(&draft, o->entry);
  frame_put_bytes(&draft, o->source, o->source_len);
  frame_put_bytes(&draft, o->argument, o->argument_len);
  frame_put_number(&draft, o->burst_us);
  frame_put_number(&draft, o->budget_us);
  frame_put_number(&draft, o->memory);
  frame_put_number(&draft, o->seed);
  frame_put_number(&draft, (uint32_t)o->calls_n);
  for (size_t i = 0; i < o->calls_n; i++) {
    frame_put_text(&draft, o->calls[i]);
    snprintf(run->calls[run->calls_n++], POOL_CALL_SIZE, "%s", o->calls[i]);
  }
  return frame_close(&draft);
}

/* OK, or why not one more. */
static enum status admit(struct pool *pool, const struct pool_order *o, struct reason *why)
{
  CHECK(strlen(o->name) < POOL_NAME_SIZE && strlen(o->sha256) < POOL_SHA_SIZE &&
    strlen(o->entry) < POOL_ENTRY_SIZE && o->calls_n <= POOL_CALLS_MAX && o->deadline_ms && o->memory <= HAND_MEMORY);
  if (o->source_len > POOL_SOURCE_MAX_BYTES)
    return reason_set(why, TOO_LARGE, "%.100s: source of %zu bytes, at most %u are run", o->name,
      o->source_len, POOL_SOURCE_MAX_BYTES);
  if (pool->runs >= pool->options.queue)
    return reason_set(why, REFUSED, "%.100s: %u scripts are waiting or running, at most %u may",
      o->name, pool->runs, pool->options.queue);
  return quarantine_look(&pool->quarantine, uv_now(pool->options.loop), o->name, o->sha256, why);
}

struct pool_run *pool_start(struct pool *pool, const struct pool_order *o,
  const struct pool_events *events, void *data, struct reason *why)
{
  if (admit(pool, o, why)) return NULL;
  struct pool_run *run = calloc(1, sizeof *run);
  if (run) {
    *run = (struct pool_run){ .pool = pool, .id = ++pool->last_id, .burst_us = o->burst_us, .memory = o->memory,
      .calls_most = o->calls_most, .deadline_ms = o->deadline_ms, .tenant = o->tenant,
      .events = *events, .data = data };
    buf_init(&run->frame, FRAME_MAX_BYTES);
  }
  enum status status = run ? write_order(run, o) : NO_MEMORY;
  if (status) {
    reason_set(why, status, "%.100s: %s", o->name,
      status == TOO_LARGE ? "source and argument are too large" : "no memory to run it");
    if (run) buf_close(&run->frame);
    free(run);
    return NULL;
  }
  snprintf(run->name, sizeof run->name, "%s", o->name);
  snprintf(run->sha256, sizeof run->sha256, "%s", o->sha256);
  CHECK(!uv_timer_init(pool->options.loop, &run->deadline));
  run->deadline.data = run;
  CHECK(!uv_timer_start(&run->deadline, on_deadline, o->deadline_ms, 0));
  enqueue(pool, run);
  pool->runs++;
  pool_turn(pool, 0);
  return run;
}

/* Answers -------------------------------------------------------------------------------------- */

static void answer(struct pool_run *run, enum frame_kind kind, const char *bytes, size_t len)
{
  struct buf frame;
  if (run->state == POOL_LATE) { /* who asked is gone, and the run begins again */
    pool_unlink(run);
    run->state = POOL_QUEUED;
    pool_link(&run->pool->queue, run);
    pool_turn(run->pool, 0);
  }
  if (run->state != POOL_CALLING) return;
  buf_init(&frame, FRAME_MAX_BYTES);
  struct frame_draft draft = frame_open(&frame, kind, run->id);
  frame_put_bytes(&draft, bytes, len);
  CHECK(!frame_close(&draft));
  hand_ask(run->hand, run, &frame);
  buf_close(&frame);
}

void pool_answer(struct pool_run *run, const char *results, size_t len)
{
  answer(run, FRAME_ANSWER, results, len);
}

void pool_raise(struct pool_run *run, const char *text)
{
  answer(run, FRAME_RAISE, text, strnlen(text, sizeof(struct reason) - 1));
}

void pool_cancel(struct pool_run *run)
{
  CHECK(run->state != POOL_ENDED);
  if (run->hand) hand_forget(run->hand, run);
  let_go(run);
  pool_turn(run->pool, 0);
}

struct pool_stats pool_stats(const struct pool *pool)
{
  struct pool_stats stats = { .ended = pool->ended, .killed = pool->killed,
    .quarantined = quarantine_count(&pool->quarantine, uv_now(pool->options.loop)) };
  for (const struct pool_run *run = pool->queue; run; run = run->next) stats.queued++;
  stats.running = pool->runs - stats.queued;
  for (unsigned i = 0; i < pool->options.workers; i++) stats.workers += pool->hands[i] != NULL;
  return stats;
}

size_t pool_pids(const struct pool *pool, int *pids, size_t most)
{
  size_t n = 0;
  for (unsigned i = 0; i < pool->options.workers; i++)
    if (pool->hands[i] && n < most) pids[n++] = pool->hands[i]->process.pid;
  return n;
}
