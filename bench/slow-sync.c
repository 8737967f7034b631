/*
 * Makes every fsync and fdatasync of a program slower, or does away with them. To be preloaded (LD_PRELOAD).
 * BENCH_SYNC: `none`, or how many milliseconds each takes longer. BENCH_SYNC_COUNT: a file of eight bytes in which
 * all processes count them together, so that nobody has to believe that this is in effect.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int is_none;
static struct timespec pause_for;
static _Atomic uint64_t *count;

__attribute__((constructor)) static void prepare(void) {
  real_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  const char *how = getenv("BENCH_SYNC");
  const char *path = getenv("BENCH_SYNC_COUNT");
  is_none = how != NULL && strcmp(how, "none") == 0;
  pause_for.tv_nsec = how == NULL || is_none ? 0 : atol(how) * 1000000L;
  int file = path == NULL ? -1 : open(path, O_RDWR);
  if (file < 0) return;
  void *shared = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (shared != MAP_FAILED) count = shared;
}

static int sync_with(int (*real)(int), int fd) {
  if (count != NULL) atomic_fetch_add(count, 1);
  if (is_none) return 0;
  nanosleep(&pause_for, NULL);
  return real(fd);
}

int fsync(int fd) { return sync_with(real_fsync, fd); }
int fdatasync(int fd) { return sync_with(real_fdatasync, fd); }
