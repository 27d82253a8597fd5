/* Preloaded into a process, fails or kills it once, at its n-th operation that changes a file below a folder.
 *
 * The count goes on in forked processes, so that a command and its workers are one sequence. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KILL_BEFORE = -1, KILL_AFTER = -2 }; /* any other kind is the error to fail with */
enum fate { GO_ON, FAIL, DIE };

static struct state {
  char folder[1024], what[4096];
  int kind;
  long due, count;
} *state;

__attribute__((constructor)) static void start(void) {
  state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

void arm(const char *folder, int kind, long due) {
  state->what[0] = state->count = 0;
  state->kind = kind, state->due = due;
  strncpy(state->folder, folder, sizeof state->folder - 1);
}

long counted(void) { return state->count; }

const char *what(void) { return state->what; }

static const char *path_of(int handle) {
  static _Thread_local char link[32], path[4096];
  int before = errno;
  snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
  ssize_t length = readlink(link, path, sizeof path - 1);
  path[length < 0 ? 0 : length] = 0;
  errno = before;
  return path;
}

static enum fate decide(const char *name, const char *path) {
  size_t length = state ? strlen(state->folder) : 0;
  if (!length || !path || strncmp(path, state->folder, length)) return GO_ON;
  if (__atomic_add_fetch(&state->count, 1, __ATOMIC_SEQ_CST) != state->due) return GO_ON;
  snprintf(state->what, sizeof state->what, "%s %s", name, path + length);
  if (state->kind == KILL_BEFORE) raise(SIGKILL);
  if (state->kind == KILL_AFTER) return DIE;
  errno = state->kind;
  return FAIL;
}

/* A function of libc's that returns -1 where it fails; `path` is what it would change, or NULL. */
#define WRAPPED(type, name, parameters, arguments, path)   \
  type name parameters {                                   \
    static type(*real) parameters;                         \
    if (!real) real = dlsym(RTLD_NEXT, #name);             \
    enum fate fate = decide(#name, path);                  \
    if (fate == FAIL) return -1;                           \
    type result = real arguments;                          \
    if (fate == DIE) raise(SIGKILL);                       \
    return result;                                         \
  }

#define OPEN(name)                                                                            \
  int name(const char *path, int flags, ...) {                                                \
    static int (*real)(const char *, int, mode_t);                                            \
    if (!real) real = dlsym(RTLD_NEXT, #name);                                                \
    va_list rest;                                                                             \
    va_start(rest, flags);                                                                    \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                   \
    va_end(rest);                                                                             \
    enum fate fate = decide(#name, flags & (O_CREAT | O_WRONLY | O_RDWR) ? path : NULL);      \
    if (fate == FAIL) return -1;                                                              \
    int result = real(path, flags, mode);                                                     \
    if (fate == DIE) raise(SIGKILL);                                                          \
    return result;                                                                            \
  }

OPEN(open)
OPEN(open64)
/* Whoever is killed after a write has written half of it. */
WRAPPED(ssize_t, write, (int handle, const void *data, size_t size),
        (handle, data, fate == DIE ? size / 2 : size), handle > 2 ? path_of(handle) : NULL)
WRAPPED(int, fsync, (int handle), (handle), path_of(handle))
WRAPPED(int, ftruncate64, (int handle, off64_t size), (handle, size), path_of(handle))
WRAPPED(int, rename, (const char *from, const char *to), (from, to), to)
WRAPPED(int, unlink, (const char *path), (path), path)
WRAPPED(int, rmdir, (const char *path), (path), path)
WRAPPED(int, mkdir, (const char *path, mode_t mode), (path, mode), path)
