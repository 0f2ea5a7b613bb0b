#define _GNU_SOURCE /* system calls by number */
#include "serin_test_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FDS_MAX 1024

extern char **environ;

/* System calls --------------------------------------------------------------------------------- */

static const struct {
  const char *name;
  long number;
} calls[] = { { "fork", SYS_clone }, { "execve", SYS_execve }, { "socket", SYS_socket },
  { "connect", SYS_connect }, { "kill", SYS_kill }, { "tgkill", SYS_tgkill },
  { "ptrace", SYS_ptrace }, { "dup", SYS_dup }, { "close", SYS_close }, { "fcntl", SYS_fcntl },
  { "ioctl", SYS_ioctl }, { "sendmsg", SYS_sendmsg }, { "recvmsg", SYS_recvmsg },
  { "prctl", SYS_prctl }, { "seccomp", SYS_seccomp }, { "prlimit64", SYS_prlimit64 },
  { "unshare", SYS_unshare }, { "mount", SYS_mount }, { "chroot", SYS_chroot },
  { "setuid", SYS_setuid }, { "nanosleep", SYS_nanosleep }, { "pread64", SYS_pread64 },
  { "process_vm_readv", SYS_process_vm_readv }, { "shmget", SYS_shmget },
  { "memfd_create", SYS_memfd_create }, { "io_uring_setup", SYS_io_uring_setup },
  { "bpf", SYS_bpf }, { "userfaultfd", SYS_userfaultfd }, { "getdents64", SYS_getdents64 },
  { "uname", SYS_uname }, { "getuid", SYS_getuid }, { "timer_create", SYS_timer_create },
  { "rt_sigaction", SYS_rt_sigaction }, { "getrandom", SYS_getrandom } };

/* attack.call(name): the system call with arguments that are all 0. */
static int l_call(lua_State *L)
{
  const char *name = luaL_checkstring(L, 1);
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    if (strcmp(calls[i].name, name)) continue;
    lua_pushinteger(L, syscall(calls[i].number, 0, 0, 0, 0, 0, 0));
    return 1;
  }
  return luaL_error(L, "no such call: %s", name);
}

static int l_open(lua_State *L)
{
  lua_pushinteger(L, open(luaL_checkstring(L, 1), O_RDONLY));
  return 1;
}

/* attack.read(fd), attack.write(fd, bytes): of any descriptor. */
static int l_read(lua_State *L)
{
  char byte;
  lua_pushinteger(L, read((int)luaL_checkinteger(L, 1), &byte, 1));
  return 1;
}

static int l_write(lua_State *L)
{
  size_t len;
  const char *bytes = luaL_checklstring(L, 2, &len);
  lua_pushinteger(L, write((int)luaL_checkinteger(L, 1), bytes, len));
  return 1;
}

/* attack.code(): memory that can be run; attack.protect(): memory that becomes so. */
static int l_code(lua_State *L)
{
  void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  lua_pushboolean(L, page != MAP_FAILED);
  return 1;
}

static int l_protect(lua_State *L)
{
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  lua_pushboolean(L, page != MAP_FAILED && !mprotect(page, 4096, PROT_READ | PROT_EXEC));
  return 1;
}

static int l_map(lua_State *L)
{
  void *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, (int)luaL_checkinteger(L, 1), 0);
  lua_pushboolean(L, page != MAP_FAILED);
  return 1;
}

/* attack.allocate(bytes): outside of the heap that is counted. */
static int l_allocate(lua_State *L)
{
  void *bytes = malloc((size_t)luaL_checkinteger(L, 1));
  lua_pushboolean(L, bytes != NULL);
  free(bytes);
  return 1;
}

/* Bugs of the interpreter ---------------------------------------------------------------------- */

static int l_crash(lua_State *L)
{
  volatile int *nowhere = (volatile int *)(size_t)luaL_optinteger(L, 1, 8);
  return *nowhere;
}

static int l_trap(lua_State *L)
{
  (void)L;
  __builtin_trap();
}

static int l_abort(lua_State *L)
{
  (void)L;
  abort();
}

static int l_exit(lua_State *L)
{
  _exit((int)luaL_checkinteger(L, 1));
}

/* Computes for ever, where no hook looks. */
static int l_spin(lua_State *L)
{
  volatile unsigned long n = 0;
  (void)L;
  while (n + 1) n++;
  return 0;
}

/* Neither computes nor answers: reads frames for the next run. */
static int l_wait(lua_State *L)
{
  char byte;
  (void)L;
  while (read(0, &byte, 1) >= 0) continue;
  return 0;
}

/* What can be seen ----------------------------------------------------------------------------- */

/* attack.descriptors(): those that are open, where no filter is; a list. */
static int l_descriptors(lua_State *L)
{
  lua_Integer n = 0;
  lua_newtable(L);
  for (int fd = 0; fd < FDS_MAX; fd++) {
    if (fcntl(fd, F_GETFD) < 0) continue;
    lua_pushinteger(L, fd);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

static int l_environment(lua_State *L)
{
  lua_Integer n = 0;
  lua_newtable(L);
  for (char **item = environ; item && *item; item++) {
    lua_pushstring(L, *item);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

static const luaL_Reg attack[] = {
  { "abort",       l_abort },
  { "allocate",    l_allocate },
  { "call",        l_call },
  { "code",        l_code },
  { "crash",       l_crash },
  { "descriptors", l_descriptors },
  { "environment", l_environment },
  { "exit",        l_exit },
  { "map",         l_map },
  { "open",        l_open },
  { "protect",     l_protect },
  { "read",        l_read },
  { "spin",        l_spin },
  { "trap",        l_trap },
  { "wait",        l_wait },
  { "write",       l_write },
  { NULL, NULL },
};

/* The global has a name that no script of the reach spec looks at by accident. */
static void add_attack(lua_State *L)
{
  luaL_newlib(L, attack);
  lua_setglobal(L, "attack");
}

int test_worker(const char *mode)
{
  const struct worker_options options = { .library = add_attack,
    .without_filter = !strcmp(mode, "unconfined"), .without_timer = !strcmp(mode, "untimed") };
  signal(SIGSEGV, SIG_DFL); /* provoked on purpose: no report of a sanitizer */
  return worker_main(&options);
}
