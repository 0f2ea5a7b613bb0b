/* script.list: what is in a folder. The loop waits for it, so small local folders are meant: those
 * of the operator's scripts. */
#include "lua_script_list.h"

#include "bind.h"

#include <stdio.h>
#include <sys/stat.h>
#include <uv.h>

#define ENTRIES_MAX 1000
#define NAME_SIZE 256
#define PATH_SIZE 1024

static int fail_uv(lua_State *L, const char *path, int code)
{
  enum status status = code == UV_ENOENT ? NOT_FOUND : code == UV_EACCES ? FORBIDDEN : INVALID;
  return bind_failf(L, status, "%s: %s", path, uv_strerror(code));
}

/* list -> list: with one entry more; what cannot be looked at is left out */
static void add_entry(lua_State *L, const char *folder, const char *name)
{
  char path[PATH_SIZE];
  uv_fs_t request;
  if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) return;
  int failed = uv_fs_stat(NULL, &request, path, NULL); /* of what a symbolic link leads to */
  uv_stat_t found = request.statbuf;
  uv_fs_req_cleanup(&request);
  if (failed) return;
  lua_createtable(L, 0, 4);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "name");
  lua_pushboolean(L, S_ISDIR(found.st_mode));
  lua_setfield(L, -2, "folder");
  lua_pushinteger(L, (lua_Integer)found.st_size);
  lua_setfield(L, -2, "size");
  lua_pushnumber(L, (lua_Number)found.st_mtim.tv_sec + (lua_Number)found.st_mtim.tv_nsec / 1e9);
  lua_setfield(L, -2, "changed");
  lua_rawseti(L, -2, luaL_len(L, -2) + 1);
}

int script_list(lua_State *L)
{
  size_t len;
  const char *folder = bind_bytes(L, 1, PATH_SIZE - 1, &len);
  char(*names)[NAME_SIZE] = lua_newuserdatauv(L, ENTRIES_MAX * NAME_SIZE, 0);
  uv_fs_t scan;
  uv_dirent_t entry;
  int count = 0, found = uv_fs_scandir(NULL, &scan, folder, 0, NULL);
  /* until it says so: only then the last entry is freed */
  while (found <= ENTRIES_MAX && !uv_fs_scandir_next(&scan, &entry))
    snprintf(names[count++], NAME_SIZE, "%s", entry.name);
  uv_fs_req_cleanup(&scan); /* nothing has raised between it and the scan */
  if (found < 0) return fail_uv(L, folder, found);
  if (found > ENTRIES_MAX)
    return bind_failf(
      L, TOO_LARGE, "%s: %d entries, at most %d are read", folder, found, ENTRIES_MAX);
  lua_createtable(L, count, 0);
  for (int at = 0; at < count; at++) add_entry(L, folder, names[at]);
  return 1;
}
