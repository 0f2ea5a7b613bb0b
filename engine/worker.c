#include "worker.h"

#include "confine.h"
#include "frame.h"
#include "worker_run.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MEMORY_BYTES (256u << 20) /* of address space; the program itself takes about 20 MiB */
#define CHUNK_BYTES (64u << 10)

struct worker {
  int fd;
  const struct worker_options *options;
  struct script_run *runs;
  struct script_run *current; /* that computes; for the signal handler */
  bool has_timer;
  timer_t timer;
  struct buf in, out;
  size_t taken;               /* bytes of `in` that belong to the frame in hand */
};

/* The pipe ------------------------------------------------------------------------------------- */

static bool send_all(const struct worker *worker, const void *bytes, size_t len)
{
  const char *at = bytes;
  while (len) {
    ssize_t n = write(worker->fd, at, len);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    len -= (size_t)n;
  }
  return true;
}

/* 1: a frame, 0: the end, -1: no frame */
static int next_frame(struct worker *worker, struct frame *frame)
{
  char chunk[CHUNK_BYTES];
  buf_shift(&worker->in, worker->taken);
  worker->taken = 0;
  for (;;) {
    if (worker->in.len &&
      frame_take(worker->in.data, worker->in.len, frame, &worker->taken, NULL))
      return -1;
    if (worker->taken) return 1;
    ssize_t n = read(worker->fd, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 || worker->in.len ? -1 : 0;
    if (buf_add(&worker->in, chunk, (size_t)n)) return -1;
  }
}

static bool send_draft(struct worker *worker, struct frame_draft *draft)
{
  bool good = !frame_close(draft) && send_all(worker, worker->out.data, worker->out.len);
  buf_clear(&worker->out);
  return good;
}

/* A C function that does not end ------------------------------------------------------------------ */

/* The engine would kill the worker a little later; this way it learns the line. It may find the
 * state in the middle of something and crash: then the line stays unknown. */
static void on_stuck(int number, siginfo_t *info, void *context)
{
  struct worker *worker = info->si_value.sival_ptr;
  unsigned char bytes[FRAME_PLAIN_BYTES];
  (void)number, (void)context;
  if (info->si_code != SI_TIMER || !worker->current) return;
  int line = run_line(worker->current->now, worker->current->order.name);
  frame_plain(bytes, FRAME_STUCK, worker->current->order.id, (uint32_t)line);
  send_all(worker, bytes, sizeof bytes);
  _exit(EXIT_FAILURE);
}

static bool make_timer(struct worker *worker)
{
  struct sigaction action = { .sa_sigaction = on_stuck, .sa_flags = SA_SIGINFO | SA_RESTART };
  struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF,
    .sigev_value.sival_ptr = worker };
  sigemptyset(&action.sa_mask);
  worker->has_timer = !sigaction(SIGPROF, &action, NULL) &&
    !timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &worker->timer);
  return worker->has_timer;
}

/* 0 disarms it. */
static void set_timer(const struct worker *worker, uint64_t us)
{
  struct itimerspec when = { .it_value = { (time_t)(us / 1000000), (long)(us % 1000000 * 1000) } };
  if (worker->has_timer) timer_settime(worker->timer, 0, &when, NULL);
}

static void begin(struct worker *worker, struct script_run *run)
{
  worker->current = run;
  set_timer(worker, run->order.burst_us + WORKER_GRACE_US);
}

static void end(struct worker *worker)
{
  set_timer(worker, 0);
  worker->current = NULL;
}

/* Runs ----------------------------------------------------------------------------------------- */

static struct script_run **find(struct worker *worker, uint32_t id)
{
  struct script_run **link = &worker->runs;
  while (*link && (*link)->order.id != id) link = &(*link)->next;
  return link;
}

static void drop(struct script_run **link)
{
  struct script_run *run = *link;
  *link = run->next;
  run_free(run);
}

/* Says what became of the run at `link`, and lets go of it when it is over. */
static bool tell(struct worker *worker, struct script_run **link)
{
  static const enum frame_kind kinds[] = { [RUN_CALLING] = FRAME_CALL, [RUN_DONE] = FRAME_DONE,
    [RUN_FAILED] = FRAME_FAIL };
  struct script_run *run = *link;
  CHECK(run->state != RUN_READY);
  struct frame_draft draft = frame_open(&worker->out, kinds[run->state], run->order.id);
  if (run->state == RUN_CALLING) frame_put_text(&draft, run->call);
  if (run->state == RUN_FAILED) {
    frame_put_number(&draft, (uint32_t)-run->why.code);
    frame_put_number(&draft, (uint32_t)run->line);
    frame_put_text(&draft, run->why.text);
  } else {
    frame_put_bytes(&draft, run->text.data, run->text.len);
  }
  if (run->state != RUN_CALLING) drop(link);
  return send_draft(worker, &draft);
}

static bool read_calls(struct frame *frame, struct run_order *order)
{
  if (!frame_number(frame, &order->calls_n) || order->calls_n > RUN_CALLS) return false;
  for (uint32_t i = 0; i < order->calls_n; i++)
    if (!frame_text(frame, order->calls[i], sizeof order->calls[i])) return false;
  return !frame->left;
}

static bool read_order(struct frame *frame, struct run_order *order)
{
  *order = (struct run_order){ .id = frame->id };
  return frame_text(frame, order->name, sizeof order->name) &&
    frame_text(frame, order->entry, sizeof order->entry) &&
    frame_bytes(frame, &order->source, &order->source_len) &&
    frame_bytes(frame, &order->argument, &order->argument_len) &&
    frame_number(frame, &order->burst_us) && frame_number(frame, &order->budget_us) &&
    frame_number(frame, &order->memory) && frame_number(frame, &order->seed) &&
    read_calls(frame, order);
}

static bool on_run(struct worker *worker, struct frame *frame)
{
  struct run_order order;
  if (!read_order(frame, &order) || *find(worker, order.id)) return false;
  struct script_run *run = run_new(&order, worker->options->library);
  if (!run) return false;
  run->next = worker->runs;
  worker->runs = run;
  begin(worker, run);
  run_start(run);
  end(worker);
  return tell(worker, &worker->runs);
}

static bool on_answer(struct worker *worker, struct frame *frame)
{
  struct script_run **link = find(worker, frame->id);
  char raise[sizeof(struct reason)] = "";
  const char *text;
  json_t *results = NULL;
  size_t len;
  if (!*link || (*link)->state != RUN_CALLING) return false;
  if (frame->kind == FRAME_RAISE) {
    if (!frame_text(frame, raise, sizeof raise)) return false;
  } else {
    if (!frame_bytes(frame, &text, &len)) return false;
    results = json_read_within(text, len, RUN_ARGUMENT_LIMITS, NULL);
  }
  if (!json_is_array(results) && frame->kind == FRAME_ANSWER) {
    json_decref(results);
    return false;
  }
  begin(worker, *link);
  run_answer(*link, results, results ? NULL : raise);
  end(worker);
  json_decref(results);
  return tell(worker, link);
}

static bool on_frame(struct worker *worker, struct frame *frame)
{
  switch (frame->kind) {
  case FRAME_RUN: return on_run(worker, frame);
  case FRAME_ANSWER:
  case FRAME_RAISE: return on_answer(worker, frame);
  case FRAME_CANCEL: {
    struct script_run **link = find(worker, frame->id);
    if (*link) drop(link);
    return true;
  }
  default: return false;
  }
}

/* Life ----------------------------------------------------------------------------------------- */

static void open_worker(struct worker *worker, int fd, const struct worker_options *options)
{
  *worker = (struct worker){ .fd = fd, .options = options };
  buf_init(&worker->in, FRAME_MAX_BYTES + CHUNK_BYTES);
  buf_init(&worker->out, FRAME_MAX_BYTES);
}

static bool serve(struct worker *worker)
{
  struct frame frame;
  int got;
  while ((got = next_frame(worker, &frame)) > 0)
    if (!on_frame(worker, &frame)) break;
  while (worker->runs) drop(&worker->runs);
  buf_close(&worker->in);
  buf_close(&worker->out);
  return got == 0;
}

bool worker_serve(int fd, const struct worker_options *options)
{
  struct worker worker;
  open_worker(&worker, fd, options);
  return serve(&worker);
}

static bool hello(struct worker *worker, const struct reason *why)
{
  struct frame_draft draft = frame_open(&worker->out, FRAME_HELLO, 0);
  frame_put_text(&draft, why->text);
  return send_draft(worker, &draft);
}

/* What the libraries do once they do now, while they still may: jansson reads random bytes, and
 * qsort asks how much memory there is. */
static void warm_up(void)
{
  static const char source[] = "return function() local t = {} for i = 1, 200 do t['k' .. i] = i end "
                               "return {t, json.encode(t), ('%.3f'):format(1.5), math.random()} end";
  struct run_order order = { .name = "warm", .source = source, .source_len = sizeof source - 1,
    .argument = "null", .argument_len = 4, .burst_us = 10000000, .budget_us = 10000000,
    .memory = 8u << 20 };
  json_object_seed(0);
  struct script_run *run = run_new(&order, NULL);
  CHECK(run);
  run_start(run);
  CHECK(run->state == RUN_DONE);
  run_free(run);
}

int worker_main(const struct worker_options *options)
{
  const struct confine_options limits = { .memory = MEMORY_BYTES, .cpu_s = WORKER_CPU_S,
    .without_filter = options->without_filter };
  struct reason why = { .code = OK };
  struct worker worker;
  struct stat pipe;
  if (fstat(0, &pipe) || !S_ISSOCK(pipe.st_mode)) {
    fprintf(stderr, "serin " WORKER_COMMAND ": only serin itself starts it\n");
    return 2;
  }
  prctl(PR_SET_NAME, "serin-worker", 0, 0, 0);
  open_worker(&worker, 0, options);
  warm_up();
  if (!options->without_timer) CHECK(make_timer(&worker));
  if (confine(&limits, &why)) CHECK(why.text[0]);
  bool good = hello(&worker, &why) && serve(&worker);
  _exit(good ? EXIT_SUCCESS : EXIT_FAILURE); /* exit's handlers would ask for more than is left */
}
