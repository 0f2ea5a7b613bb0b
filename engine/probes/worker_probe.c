/* A worker that is not confined, in this process: so that a sanitizer sees what runs leave behind,
 * and that every lack of memory is survived. */
#include "frame.h"
#include "worker.h"
#include "worker_run.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MEGABYTE (1u << 20)

static const struct worker_options plain = { .library = NULL };

struct talk {
  struct buf to;
  char from[1 << 16];
  size_t len;
};

static void put_run(struct talk *talk, uint32_t id, const char *source, uint32_t burst_us)
{
  struct frame_draft draft = frame_open(&talk->to, FRAME_RUN, id);
  frame_put_text(&draft, "s");
  frame_put_text(&draft, "");
  frame_put_text(&draft, source);
  frame_put_text(&draft, "[1,{\"a\":null}]");
  frame_put_number(&draft, burst_us);
  frame_put_number(&draft, 10 * MEGABYTE);
  frame_put_number(&draft, MEGABYTE);
  frame_put_number(&draft, 0);
  frame_put_number(&draft, 1);
  frame_put_text(&draft, "call.it");
  CHECK(!frame_close(&draft));
}

static void put_text(struct talk *talk, enum frame_kind kind, uint32_t id, const char *text)
{
  struct frame_draft draft = frame_open(&talk->to, kind, id);
  if (text) frame_put_text(&draft, text);
  CHECK(!frame_close(&draft));
}

/* Says all of it and hears what comes back until the worker ends. */
static bool serve(struct talk *talk)
{
  int pair[2];
  CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  CHECK(write(pair[0], talk->to.data, talk->to.len) == (ssize_t)talk->to.len);
  CHECK(!shutdown(pair[0], SHUT_WR));
  bool good = worker_serve(pair[1], &plain);
  close(pair[1]);
  ssize_t n;
  talk->len = 0;
  while ((n = read(pair[0], talk->from + talk->len, sizeof talk->from - talk->len)) > 0)
    talk->len += (size_t)n;
  close(pair[0]);
  buf_close(&talk->to);
  return good;
}

/* The next answer must be of this kind; its last field is text. */
static void expect(const struct talk *talk, size_t *at, enum frame_kind kind, const char *text)
{
  struct frame frame;
  const char *bytes = "";
  uint32_t number;
  size_t size, len = 0;
  CHECK(!frame_take(talk->from + *at, talk->len - *at, &frame, &size, NULL) && size);
  CHECK(frame.kind == kind);
  if (kind == FRAME_FAIL) CHECK(frame_number(&frame, &number) && frame_number(&frame, &number));
  if (kind == FRAME_CALL) CHECK(frame_bytes(&frame, &bytes, &len));
  CHECK(frame_bytes(&frame, &bytes, &len) && !frame.left);
  CHECK(len == strlen(text) && !memcmp(bytes, text, len));
  *at += size;
}

static void check_ends(void)
{
  struct talk talk = { .len = 0 };
  size_t at = 0;
  buf_init(&talk.to, FRAME_MAX_BYTES);
  put_run(&talk, 1, "return function(x) return {x, x[2].a} end", MEGABYTE);
  put_run(&talk, 2, "return function() error('no') end", MEGABYTE);
  put_run(&talk, 3, "return function() pcall(function() while true do end end) end", 1000);
  put_run(&talk, 4, "return function() local s = 'x' while true do s = s .. s end end", MEGABYTE);
  put_run(&talk, 5, "return function() return json.encode(call.it(1, nil, {})) end", MEGABYTE);
  put_run(&talk, 6, "return function() coroutine.wrap(call.it)() end", MEGABYTE);
  put_text(&talk, FRAME_ANSWER, 5, "[[7]]");
  put_text(&talk, FRAME_RAISE, 6, "bad");
  put_run(&talk, 7, "return function() call.it() end", MEGABYTE);
  put_text(&talk, FRAME_CANCEL, 7, NULL);
  put_text(&talk, FRAME_CANCEL, 99, NULL);
  put_run(&talk, 8, "return function() call.it({('x'):rep(1000)}) end", MEGABYTE); /* left over */
  CHECK(serve(&talk));
  expect(&talk, &at, FRAME_DONE, "[[1,{\"a\":null}],null]");
  expect(&talk, &at, FRAME_FAIL, "no");
  expect(&talk, &at, FRAME_FAIL, "used 1 ms of CPU without waiting, which is its limit");
  expect(&talk, &at, FRAME_FAIL, "needs more than the 1048576 bytes of memory it may have");
  expect(&talk, &at, FRAME_CALL, "[1,null,{}]");
  expect(&talk, &at, FRAME_CALL, "[]");
  expect(&talk, &at, FRAME_DONE, "\"[7]\"");
  expect(&talk, &at, FRAME_FAIL, "bad");
}

/* Each ends the worker, which lets go of everything. */
static void check_bad_frames(void)
{
  static const struct {
    enum frame_kind kind;
    const char *text;
  } bad[] = { { FRAME_ANSWER, "[]" }, { FRAME_ANSWER, "{}" }, { FRAME_ANSWER, "[" },
    { FRAME_RAISE, "x" }, { FRAME_RUN, "x" }, { FRAME_HELLO, "" }, { FRAME_DONE, "1" } };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct talk talk = { .len = 0 };
    buf_init(&talk.to, FRAME_MAX_BYTES);
    put_run(&talk, 1, "return function() call.it() end", MEGABYTE);
    put_text(&talk, bad[i].kind, i == 0 ? 2 : i == 3 ? 3 : 1, bad[i].text);
    CHECK(!serve(&talk));
  }
}

/* As much memory as there is, from none to enough: it is enough, or said to be too little. */
static int check_memory(void)
{
  static const char source[] = "return function(x) local t = {} for i = 1, 20 do t['k' .. i] = i end "
                               "return {x, t, json.encode(t), ('x'):rep(100)} end";
  struct run_order order = { .name = "s", .argument = "[{\"a\":[1,2,3]}]", .argument_len = 15,
    .burst_us = 10 * MEGABYTE, .budget_us = 10 * MEGABYTE, .source_len = sizeof source - 1 };
  int failures = 0;
  for (bool failed = true; failed; order.memory += 64) {
    order.source = source;
    struct script_run *run = run_new(&order, NULL);
    CHECK(run);
    run_start(run);
    failed = run->state == RUN_FAILED;
    CHECK(failed ? run->why.code == MEMORY : run->state == RUN_DONE);
    CHECK(run->heap.used <= order.memory);
    run_free(run);
    failures += failed;
  }
  return failures;
}

int main(void)
{
  check_ends();
  check_bad_frames();
  printf("worker: %d lacks of memory survived\n", check_memory());
  return 0;
}
