/* /healthz, /readyz and /metrics. */
#include "engine.h"

#include "call.h"

#include <lauxlib.h>
#include <string.h>

#define PATIENCE_S 60
#define PAGE_MAX_BYTES (16u << 20)

static void answer(
  const struct server_request *request, int status, const char *type, const char *body, size_t len)
{
  char line[128];
  snprintf(line, sizeof line, "Content-Type: %s", type);
  const char *const headers[] = { line, NULL };
  server_answer(request->exchange, status, headers, body, len);
}

static void answer_text(const struct server_request *request, int status, const char *text)
{
  answer(request, status, "text/plain; charset=utf-8", text, strlen(text));
}

/* Alive and not in need of a restart; ready also means that every kind is listed. */
static void check(const struct run *run, const struct server_request *request, bool ready)
{
  struct buf out;
  buf_init(&out, 64u << 10);
  enum status status = cache_complaints(run->cache, PATIENCE_S, ready, &out);
  if (status) answer_text(request, 503, "too much is wrong\n");
  else answer_text(request, out.len ? 503 : 200, out.len ? out.data : "OK\n");
  buf_close(&out);
}

struct page {
  struct run *run;
  struct buf out;
  enum status status;
};

static int call_metrics(lua_State *L)
{
  struct page *page = lua_touserdata(L, 1);
  size_t len;
  lua_rawgeti(L, LUA_REGISTRYINDEX, page->run->metrics);
  lua_call(L, 0, 1);
  const char *text = lua_tolstring(L, -1, &len);
  if (text) page->status = buf_add(&page->out, text, len);
  if (text && len && text[len - 1] != '\n' && !page->status)
    page->status = buf_add(&page->out, "\n", 1);
  return 0;
}

static void add(
  struct page *page, const char *name, const char *type, const char *help, double value)
{
  if (page->status) return;
  page->status = buf_addf(
    &page->out, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, type, name, value);
}

static void add_lateness(struct page *page, const struct sched_stats *stats)
{
  static const char name[] = "serin_tick_lateness_seconds";
  unsigned long sum = 0;
  if (page->status) return;
  page->status = buf_addf(&page->out,
    "# HELP %s How late due ticks began, in engine time.\n# TYPE %s histogram\n", name, name);
  for (size_t i = 0; i < SCHED_BUCKETS && !page->status; i++) {
    sum += stats->late_count[i];
    page->status = buf_addf(&page->out, "%s_bucket{le=\"%g\"} %lu\n", name, sched_buckets[i], sum);
  }
  sum += stats->late_count[SCHED_BUCKETS];
  if (!page->status)
    page->status = buf_addf(&page->out, "%s_bucket{le=\"+Inf\"} %lu\n%s_sum %.9g\n%s_count %lu\n",
      name, sum, name, stats->late_sum, name, sum);
}

static void add_counters(struct page *page)
{
  const struct run *run = page->run;
  struct kube_counts counts = engine_counts(run);
  struct cache_state state = cache_state(run->cache);
  struct sched_stats stats;
  sched_stats(run->sched, &stats);
  add(page, "serin_api_requests_total", "counter", "Requests to API servers.",
    (double)counts.requests);
  add(page, "serin_api_errors_total", "counter", "Those that failed.", (double)counts.errors);
  add(page, "serin_ticks_total", "counter", "Ticks begun.", (double)stats.ticks);
  add(page, "serin_tick_errors_total", "counter", "Ticks that ended in an error.",
    (double)stats.errors);
  add(page, "serin_tick_repeats_total", "counter", "Ticks repeated because a request failed.",
    (double)stats.repeats);
  add_lateness(page, &stats);
  add(page, "serin_tick_lateness_seconds_max", "gauge", "The latest a due tick ever began.",
    stats.late_max);
  add(page, "serin_canaries", "gauge", "Objects that are scheduled.", (double)stats.entries);
  add(page, "serin_ticks_running", "gauge", "Ticks under way.", (double)stats.running);
  add(page, "serin_cache_bytes", "gauge", "Bytes of cached objects.", (double)state.bytes);
  add(page, "serin_cache_objects", "gauge", "Cached objects.", (double)state.objects);
  add(page, "serin_events_lost_total", "counter", "Events that could not be written.",
    (double)run->fired_lost);
}

static void metrics(struct run *run, const struct server_request *request)
{
  struct page page = { .run = run };
  char text[256];
  buf_init(&page.out, PAGE_MAX_BYTES);
  bool good =
    run->metrics == LUA_NOREF || call_lua(run->engine->L, call_metrics, &page, text, sizeof text);
  if (!good) {
    log_f(run->engine->log, LOG_ERROR, "the metrics of scripts failed: %s", text);
    buf_clear(&page.out);
  }
  add_counters(&page);
  if (page.status) answer_text(request, 500, "the metrics are too large\n");
  else
    answer(request, 200, "text/plain; version=0.0.4; charset=utf-8", page.out.data, page.out.len);
  buf_close(&page.out);
}

void health_on_request(void *data, const struct server_request *request)
{
  struct run *run = data;
  bool get = !strcmp(request->method, "GET") || !strcmp(request->method, "HEAD");
  if (!run->cache || !run->sched) {
    answer_text(request, 503, "starting\n");
    return;
  }
  run->serving = true;
  if (!get) answer_text(request, 405, "only GET\n");
  else if (!strcmp(request->path, "/healthz")) check(run, request, false);
  else if (!strcmp(request->path, "/readyz")) check(run, request, true);
  else if (!strcmp(request->path, "/metrics")) metrics(run, request);
  else answer_text(request, 404, "not found\n");
  run->serving = false;
}
