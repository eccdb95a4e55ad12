/*
 * The limit of a relay: moves bytes between two sockets inside the kernel, with splice().
 *
 *   splice-relay <socket path> relay
 *
 * Each direction of each connection has a thread that blocks. The server that it connects to listens on <socket path>.up.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PIPE_BYTES = 262144 };

struct direction {
  int from, to;
};

static void die(const char *what) {
  perror(what);
  exit(1);
}

static struct sockaddr_un address_of(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  return address;
}

static void *move(void *argument) {
  struct direction way = *(struct direction *)argument;
  free(argument);
  int ends[2];
  if (pipe(ends) < 0) die("pipe");
  fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
  ssize_t in;
  while ((in = splice(way.from, NULL, ends[1], NULL, PIPE_BYTES, SPLICE_F_MOVE)) > 0) {
    while (in > 0) {
      ssize_t out = splice(ends[0], NULL, way.to, NULL, in, SPLICE_F_MOVE);
      if (out <= 0) break;
      in -= out;
    }
    if (in > 0) break;
  }
  shutdown(way.to, SHUT_WR);
  close(ends[0]);
  close(ends[1]);
  return NULL; /* the sockets stay open until the process ends: there are few */
}

static void start(int from, int to) {
  struct direction *way = malloc(sizeof *way);
  *way = (struct direction){from, to};
  pthread_t thread;
  if (pthread_create(&thread, NULL, move, way) != 0) die("pthread_create");
  pthread_detach(thread);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  signal(SIGPIPE, SIG_IGN);
  char upstream[256];
  snprintf(upstream, sizeof upstream, "%s.up", argv[1]);
  struct sockaddr_un here = address_of(argv[1]), there = address_of(upstream);
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&here, sizeof here) < 0) die("bind");
  if (listen(listener, 511) < 0) die("listen");
  puts("ready");
  fflush(stdout);
  for (;;) {
    int client = accept(listener, NULL, NULL);
    if (client < 0) continue;
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(server, (struct sockaddr *)&there, sizeof there) < 0) die("connect");
    start(client, server);
    start(server, client);
  }
}
