#include "pool_hand.h"

#include "text.h"
#include "worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define START_MS 20000
#define LOOK_MS 50
#define HARD_CPU_US 500000  /* of a burst beyond what it may have; the worker itself gives up before */
#define HARD_WALL_MS 3000   /* of a burst that does not compute at all, and ten times what it may have */
#define OLD_RUNS 10000
#define OLD_CPU_NS (30ull * 1000000000u)
#define RESULT_LIMITS ((struct json_limits){ 16u << 10, 256u << 10 })

/* Life ----------------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
  struct hand *hand = handle->data;
  if (--hand->handles) return;
  buf_close(&hand->in);
  free(hand);
}

static void close_handle(struct hand *hand, uv_handle_t *handle)
{
  handle->data = hand;
  if (!uv_is_closing(handle)) uv_close(handle, on_closed);
}

static uint64_t cpu_ns(const struct hand *hand)
{
  clockid_t clock;
  struct timespec t;
  if (clock_getcpuclockid(hand->process.pid, &clock) || clock_gettime(clock, &t)) return 0;
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

unsigned hand_load(const struct hand *hand)
{
  unsigned n = 0;
  for (const struct pool_run *run = hand->runs; run; run = run->next) n++;
  for (size_t i = 0; i < hand->due_n; i++) n += !hand->due[i].run;
  return n;
}

bool hand_is_free(const struct hand *hand, uint32_t memory)
{
  uint64_t bytes = memory;
  for (const struct pool_run *run = hand->runs; run; run = run->next) bytes += run->memory;
  return hand->ready && !hand->lost && !hand->due_n && hand_load(hand) < HAND_RUNS &&
    bytes <= HAND_MEMORY;
}

bool hand_is_old(const struct hand *hand)
{
  return hand->taken >= OLD_RUNS || cpu_ns(hand) > OLD_CPU_NS;
}

/* "name:12: text", of which the name may be cut. */
static void place(struct reason *why, enum status code, const char *name, int line, const char *text)
{
  if (line > 0) reason_set(why, code, "%.100s:%d: %s", name, line, text);
  else reason_set(why, code, "%.100s: %s", name, text);
  text_plain(why->text);
}

void hand_lose(struct hand *hand, const struct reason *cause, int line)
{
  struct due head = hand->due[0];
  struct reason why;
  bool computed = hand->due_n > 0;
  if (hand->lost) return;
  hand->lost = true;
  if (!hand->exited) {
    hand->pool->killed++;
    uv_process_kill(&hand->process, SIGKILL);
    uv_ref((uv_handle_t *)&hand->process); /* until it has gone */
  } else {
    close_handle(hand, (uv_handle_t *)&hand->process);
  }
  close_handle(hand, (uv_handle_t *)&hand->pipe);
  close_handle(hand, (uv_handle_t *)&hand->watch);
  if (cause && computed) place(&why, cause->code, head.name, line, cause->text);
  pool_lost(hand, computed ? &head : NULL, cause && computed ? &why : NULL);
}

/* Frames to it --------------------------------------------------------------------------------- */

struct parcel {
  uv_write_t uv;
  char bytes[];
};

static void on_written(uv_write_t *uv, int status)
{
  (void)status; /* when the pipe is broken, its end says so */
  free(uv->data);
}

static void send_bytes(struct hand *hand, const struct buf *frame)
{
  struct parcel *parcel = malloc(sizeof *parcel + frame->len);
  CHECK(parcel);
  memcpy(parcel->bytes, frame->data, frame->len);
  parcel->uv.data = parcel;
  uv_buf_t bytes = uv_buf_init(parcel->bytes, (unsigned)frame->len);
  if (uv_write(&parcel->uv, (uv_stream_t *)&hand->pipe, &bytes, 1, on_written)) free(parcel);
}

static void on_watch(uv_timer_t *timer);

static void begin_due(struct hand *hand)
{
  hand->since_ms = uv_now(hand->pool->options.loop);
  hand->since_ns = cpu_ns(hand);
  if (hand->due_n) CHECK(!uv_timer_start(&hand->watch, on_watch, LOOK_MS, LOOK_MS));
  else CHECK(!uv_timer_stop(&hand->watch));
}

void hand_ask(struct hand *hand, struct pool_run *run, const struct buf *frame)
{
  CHECK(hand->due_n < HAND_RUNS && !hand->lost);
  struct due *due = &hand->due[hand->due_n++];
  *due = (struct due){ .run = run, .id = run->id, .burst_us = run->burst_us };
  memcpy(due->name, run->name, sizeof due->name);
  memcpy(due->sha256, run->sha256, sizeof due->sha256);
  run->state = POOL_RUNNING;
  send_bytes(hand, frame);
  if (hand->due_n == 1) begin_due(hand);
}

void hand_take(struct hand *hand, struct pool_run *run)
{
  run->hand = hand;
  hand->taken++;
  pool_link(&hand->runs, run);
  hand_ask(hand, run, &run->frame);
}

void hand_forget(struct hand *hand, struct pool_run *run)
{
  struct buf frame;
  for (size_t i = 0; i < hand->due_n; i++)
    if (hand->due[i].run == run) hand->due[i].run = NULL;
  buf_init(&frame, 64);
  struct frame_draft draft = frame_open(&frame, FRAME_CANCEL, run->id);
  CHECK(!frame_close(&draft));
  send_bytes(hand, &frame);
  buf_close(&frame);
  run->hand = NULL;
}

/* Frames from it ------------------------------------------------------------------------------- */

static enum status forged(struct reason *why, const char *what)
{
  return reason_set(why, BAD_ANSWER, "%s", what);
}

static enum status on_hello(struct hand *hand, struct frame *frame, struct reason *why)
{
  if (hand->ready || frame->id) return forged(why, "a second hello");
  if (!frame_text(frame, hand->unconfined.text, sizeof hand->unconfined.text) || frame->left)
    return forged(why, "a bad hello");
  text_plain(hand->unconfined.text);
  hand->ready = true;
  hand->pool->trouble.code = OK;
  if (hand->unconfined.text[0])
    log_f(hand->pool->options.log, LOG_WARN, "custom scripts are not confined: %s",
      hand->unconfined.text);
  begin_due(hand);
  pool_turn(hand->pool, 0);
  return OK;
}

/* The oldest due is answered; the next one computes now. */
static struct pool_run *answered(struct hand *hand)
{
  struct pool_run *run = hand->due[0].run;
  hand->due_n--;
  memmove(hand->due, hand->due + 1, hand->due_n * sizeof *hand->due);
  begin_due(hand);
  pool_turn(hand->pool, 0);
  return run;
}

static bool is_granted(const struct pool_run *run, const char *name)
{
  for (size_t i = 0; i < run->calls_n; i++)
    if (!strcmp(run->calls[i], name)) return true;
  return false;
}

static enum status on_call(struct hand *hand, struct frame *frame, struct reason *why)
{
  const struct pool_run *asks = hand->due[0].run;
  char name[POOL_CALL_SIZE];
  const char *text;
  size_t len;
  if (!frame_text(frame, name, sizeof name) || !frame_bytes(frame, &text, &len) || frame->left)
    return forged(why, "a bad call");
  if (asks && !is_granted(asks, name)) return forged(why, "a call that was not granted");
  json_t *arguments = json_read_within(text, len, RESULT_LIMITS, why);
  if (!arguments) return why->code;
  if (!json_is_array(arguments)) {
    json_decref(arguments);
    return forged(why, "arguments that are no list");
  }
  struct pool_run *run = answered(hand);
  if (run && ++run->calls_made > run->calls_most) {
    struct reason most;
    char said[100];
    snprintf(said, sizeof said, "calls the engine more than %u times, which is its limit",
      run->calls_most);
    place(&most, SCRIPT, run->name, 0, said);
    hand_forget(hand, run);
    pool_end(run, NULL, &most);
  } else if (run) {
    run->state = POOL_CALLING;
    memcpy(run->call, name, sizeof name);
    run->events.on_call(run->data, name, arguments);
  }
  json_decref(arguments);
  return OK;
}

static void finish(struct hand *hand, const json_t *result, const struct reason *why)
{
  struct due head = hand->due[0];
  bool alone = hand_load(hand) == 1;
  struct pool_run *run = answered(hand);
  hand->finished++;
  if (alone) quarantine_clear(&hand->pool->quarantine, head.name, head.sha256);
  if (run) pool_end(run, result, why);
}

static enum status on_done(struct hand *hand, struct frame *frame, struct reason *why)
{
  const char *text;
  size_t len;
  if (!frame_bytes(frame, &text, &len) || frame->left) return forged(why, "a bad result");
  json_t *result = json_read_within(text, len, RESULT_LIMITS, why);
  if (!result) return why->code;
  finish(hand, result, NULL);
  json_decref(result);
  return OK;
}

static enum status on_fail(struct hand *hand, struct frame *frame, struct reason *why)
{
  static const enum status codes[] = { TIMEOUT, MEMORY, SCRIPT, TOO_LARGE };
  struct reason cause, said;
  uint32_t code, line;
  size_t i = 0;
  if (!frame_number(frame, &code) || !frame_number(frame, &line) ||
    !frame_text(frame, said.text, sizeof said.text) || frame->left || line > 1 << 20)
    return forged(why, "a bad failure");
  while (i < sizeof codes / sizeof *codes && (uint32_t)-codes[i] != code) i++;
  if (i == sizeof codes / sizeof *codes) return forged(why, "a failure of no known kind");
  place(&cause, codes[i], hand->due[0].name, (int)line, said.text);
  finish(hand, NULL, &cause);
  return OK;
}

static enum status on_stuck(struct hand *hand, struct frame *frame, struct reason *why)
{
  struct reason cause;
  uint32_t line;
  if (!frame_number(frame, &line) || frame->left || line > 1 << 20)
    return forged(why, "a bad complaint");
  reason_set(&cause, TIMEOUT, "one call of a function took more than %u ms of CPU, which is its limit",
    (hand->due[0].burst_us + WORKER_GRACE_US) / 1000);
  hand_lose(hand, &cause, (int)line);
  return OK;
}

static enum status on_frame(struct hand *hand, struct frame *frame, struct reason *why)
{
  if (frame->kind == FRAME_HELLO) return on_hello(hand, frame, why);
  if (!hand->ready || !hand->due_n || hand->due[0].id != frame->id)
    return forged(why, "an answer that nobody waits for");
  switch (frame->kind) {
  case FRAME_CALL: return on_call(hand, frame, why);
  case FRAME_DONE: return on_done(hand, frame, why);
  case FRAME_FAIL: return on_fail(hand, frame, why);
  case FRAME_STUCK: return on_stuck(hand, frame, why);
  default: return forged(why, "a frame of the engine's");
  }
}

static void lose_forger(struct hand *hand, const struct reason *why)
{
  struct reason cause;
  reason_set(&cause, CRASH, "its worker broke the protocol: %.150s", why->text);
  hand_lose(hand, &cause, 0);
}

static void take_frames(struct hand *hand)
{
  struct reason why = { .code = OK };
  struct frame frame;
  size_t at = 0, size = 1;
  while (!hand->lost && at < hand->in.len) {
    enum status status =
      frame_take(hand->in.data + at, hand->in.len - at, &frame, &size, &why);
    if (!status && size) status = on_frame(hand, &frame, &why);
    at += size;
    if (status) lose_forger(hand, &why);
    else if (!size) break;
  }
  if (!hand->lost) buf_shift(&hand->in, at);
}

/* Its end -------------------------------------------------------------------------------------- */

static void look_for_end(struct hand *hand)
{
  struct reason cause = { .code = CRASH };
  if (!hand->exited || !hand->ended || hand->lost) return;
  if (hand->signal == SIGSYS)
    reason_set(&cause, CRASH, "its worker made a system call that is not allowed");
  else if (hand->signal)
    reason_set(&cause, CRASH, "its worker was ended by signal %d", hand->signal);
  else reason_set(&cause, CRASH, "its worker ended with code %d", (int)hand->exit_status);
  if (!hand->ready)
    reason_set(&hand->pool->trouble, CRASH, "a worker does not start: %.100s", cause.text);
  hand_lose(hand, hand->signal == SIGKILL ? NULL : &cause, 0); /* not ours: somebody's, or the kernel's */
}

static void on_process_exit(uv_process_t *process, int64_t exit_status, int signal)
{
  struct hand *hand = process->data;
  hand->exited = true;
  hand->exit_status = exit_status;
  hand->signal = signal;
  if (hand->lost) close_handle(hand, (uv_handle_t *)process);
  else look_for_end(hand);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
  struct hand *hand = handle->data;
  (void)suggested;
  *room = uv_buf_init(hand->chunk, HAND_CHUNK_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *room)
{
  struct hand *hand = stream->data;
  if (n < 0) {
    hand->ended = true;
    uv_read_stop(stream);
    if (!hand->exited) uv_process_kill(&hand->process, SIGKILL);
    look_for_end(hand);
    return;
  }
  CHECK(!buf_add(&hand->in, room->base, (size_t)n));
  take_frames(hand);
}

/* A worker that does not answer. */
static void on_watch(uv_timer_t *timer)
{
  struct hand *hand = timer->data;
  struct reason cause;
  uint64_t wall_ms = uv_now(hand->pool->options.loop) - hand->since_ms;
  if (!hand->ready) {
    if (wall_ms < START_MS) return;
    reason_set(&hand->pool->trouble, TIMEOUT, "a worker does not start within %d s", START_MS / 1000);
    hand_lose(hand, NULL, 0);
    return;
  }
  uint64_t spent_us = (cpu_ns(hand) - hand->since_ns) / 1000;
  if (spent_us < hand->due[0].burst_us + HARD_CPU_US &&
    wall_ms < HARD_WALL_MS + hand->due[0].burst_us / 100)
    return;
  reason_set(&cause, TIMEOUT, "its worker did not answer within %.1f s, of which it computed for %.1f s",
    (double)wall_ms / 1e3, (double)spent_us / 1e6);
  hand_lose(hand, &cause, 0);
}

/* Start ---------------------------------------------------------------------------------------- */

static int spawn(struct hand *hand, const char *mode)
{
  char *args[] = { (char *)"serin", (char *)WORKER_COMMAND, (char *)mode, NULL }, *env[] = { NULL };
  uv_stdio_container_t stdio[] = {
    { .flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE,
      .data.stream = (uv_stream_t *)&hand->pipe },
    { .flags = UV_IGNORE },
    { .flags = UV_INHERIT_FD, .data.fd = 2 }, /* for the time before it is confined */
  };
  uv_process_options_t options = { .exit_cb = on_process_exit, .file = "/proc/self/exe", .args = args,
    .env = env, .flags = UV_PROCESS_DETACHED, .stdio = stdio, .stdio_count = 3 };
  int error = uv_spawn(hand->pool->options.loop, &hand->process, &options);
  hand->process.data = hand;
  hand->exited = error != 0; /* then it never was */
  return error;
}

struct hand *hand_start(struct pool *pool, unsigned slot, struct reason *why)
{
  uv_loop_t *loop = pool->options.loop;
  struct hand *hand = calloc(1, sizeof *hand);
  if (!hand) {
    reason_set(why, NO_MEMORY, "no memory for a worker");
    return NULL;
  }
  *hand = (struct hand){ .pool = pool, .slot = slot, .handles = 3 };
  buf_init(&hand->in, FRAME_MAX_BYTES + HAND_CHUNK_BYTES);
  CHECK(!uv_pipe_init(loop, &hand->pipe, 0) && !uv_timer_init(loop, &hand->watch));
  hand->pipe.data = hand->watch.data = hand;
  int error = spawn(hand, pool->options.mode);
  if (error) {
    reason_set(why, UNREACHABLE, "a worker cannot be started: %s", uv_strerror(error));
    close_handle(hand, (uv_handle_t *)&hand->process);
    close_handle(hand, (uv_handle_t *)&hand->pipe);
    close_handle(hand, (uv_handle_t *)&hand->watch);
    return NULL;
  }
  CHECK(!uv_read_start((uv_stream_t *)&hand->pipe, on_room, on_read));
  begin_due(hand);
  CHECK(!uv_timer_start(&hand->watch, on_watch, LOOK_MS, LOOK_MS));
  uv_unref((uv_handle_t *)&hand->process); /* runs keep the loop going, not workers */
  uv_unref((uv_handle_t *)&hand->pipe);
  uv_unref((uv_handle_t *)&hand->watch);
  return hand;
}
