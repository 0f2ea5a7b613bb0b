#define _GNU_SOURCE /* close_range by number, prctl */
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define HIGHEST_FD 65536 /* where the kernel cannot close a range */

/* A sanitizer's report goes to descriptor 2; nothing else may be kept. */
static void close_others(void)
{
  close(1);
  if (!SANITIZED) close(2);
#ifdef SYS_close_range
  if (!syscall(SYS_close_range, 3u, ~0u, 0u)) return;
#endif
  for (int fd = 3; fd < HIGHEST_FD; fd++) close(fd);
}

/* When memory is short it is the worker that goes, not the engine. */
static void offer_to_kernel(void)
{
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  ssize_t n = write(fd, "1000", 4);
  (void)n; /* where it is refused, it is not done */
  close(fd);
}

static enum status limit(int what, rlim_t most, const char *name, struct reason *why)
{
  struct rlimit both = { most, most };
  if (!setrlimit(what, &both)) return OK;
  return reason_set(why, FORBIDDEN, "cannot limit %s: %s", name, strerror(errno));
}

static enum status limit_all(const struct confine_options *options, struct reason *why)
{
  const struct {
    int what;
    rlim_t most;
    const char *name;
  } limits[] = {
    { RLIMIT_CORE, 0, "core files" },
    { RLIMIT_FSIZE, 0, "written files" },
    { RLIMIT_NOFILE, 0, "open files" },
    { RLIMIT_NPROC, 0, "processes" },
    { RLIMIT_MEMLOCK, 0, "locked memory" },
    { RLIMIT_MSGQUEUE, 0, "message queues" },
    { RLIMIT_CPU, options->cpu_s, "CPU" },
    { RLIMIT_AS, options->memory, "memory" },
  };
  enum status worst = OK;
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    if (SANITIZED && limits[i].what == RLIMIT_AS) continue;
    enum status status = limit(limits[i].what, limits[i].most, limits[i].name, why);
    if (status) worst = status;
  }
  return worst;
}

/* Adds `call` with up to two conditions on its arguments. */
static int allow(scmp_filter_ctx filter, int call, unsigned n, const struct scmp_arg_cmp *conditions)
{
  int error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, n, conditions);
  return error == -EDOM || error == -EFAULT ? 0 : error; /* a call that this machine does not have */
}

static int allow_memory(scmp_filter_ctx filter)
{
  const struct scmp_arg_cmp anonymous[] = { SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
    SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS) };
  const struct scmp_arg_cmp no_code[] = { SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) };
  int error = allow(filter, SCMP_SYS(mmap), 2, anonymous);
  if (!error) error = allow(filter, SCMP_SYS(mprotect), 1, no_code);
  const int calls[] = { SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise) };
  for (size_t i = 0; !error && i < sizeof calls / sizeof *calls; i++)
    error = allow(filter, calls[i], 0, NULL);
  return error;
}

/* The timer exists already and can only be set; SIGPROF's handler returns or ends the process. */
static int allow_rest(scmp_filter_ctx filter)
{
  const int calls[] = { SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time),
    SCMP_SYS(timer_settime), SCMP_SYS(rt_sigreturn), SCMP_SYS(exit), SCMP_SYS(exit_group) };
  const int sanitizers[] = { SCMP_SYS(sigaltstack), SCMP_SYS(sched_yield), SCMP_SYS(gettid),
    SCMP_SYS(getpid), SCMP_SYS(futex) };
  int error = 0;
  for (size_t i = 0; !error && i < sizeof calls / sizeof *calls; i++)
    error = allow(filter, calls[i], 0, NULL);
  for (size_t i = 0; SANITIZED && !error && i < sizeof sanitizers / sizeof *sanitizers; i++)
    error = allow(filter, sanitizers[i], 0, NULL);
  return error;
}

static int allow_pipe(scmp_filter_ctx filter)
{
  const struct scmp_arg_cmp pipe[] = { SCMP_A0(SCMP_CMP_EQ, 0, 0) };
  const struct scmp_arg_cmp report[] = { SCMP_A0(SCMP_CMP_EQ, 2, 0) };
  int error = allow(filter, SCMP_SYS(read), 1, pipe);
  if (!error) error = allow(filter, SCMP_SYS(write), 1, pipe);
  if (SANITIZED && !error) error = allow(filter, SCMP_SYS(write), 1, report);
  return error;
}

static enum status filter_calls(struct reason *why)
{
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
  if (!filter) return reason_set(why, NO_MEMORY, "no memory for the system call filter");
  int error = allow_pipe(filter);
  if (!error) error = allow_memory(filter);
  if (!error) error = allow_rest(filter);
  if (!error) error = seccomp_load(filter);
  seccomp_release(filter);
  if (!error) return OK;
  return reason_set(why, FORBIDDEN, "the kernel refuses a system call filter: %s", strerror(-error));
}

/* Goes on after what fails: the rest is worth having. */
enum status confine(const struct confine_options *options, struct reason *why)
{
  enum status status, filter;
  close_others();
  offer_to_kernel();
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  status = limit_all(options, why);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    status = reason_set(why, FORBIDDEN, "cannot give up new privileges: %s", strerror(errno));
  filter = options->without_filter
    ? reason_set(why, FORBIDDEN, "the kernel refuses a system call filter")
    : filter_calls(why);
  return filter ? filter : status;
}
