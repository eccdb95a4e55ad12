/*
 * The physical limit: an epoll server that does nothing but read, and write what it has read back.
 *
 *   epoll-server <socket path>|tcp echo|swallow
 *
 * With "tcp" it listens on a free port of 127.0.0.1, and says "ready <port>".
 *
 * It does not look for lines. What the socket does not take at once is kept, and reading stops until it is gone.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ_BYTES = 65536, EVENTS = 256 };

struct client {
  int fd;
  char *rest; /* what still has to be sent, or null */
  size_t rest_bytes;
};

static int epoll;
static int echoing;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void watch(struct client *client, int operation, unsigned events) {
  struct epoll_event event = {.events = events, .data.ptr = client};
  if (epoll_ctl(epoll, operation, client->fd, &event) < 0) die("epoll_ctl");
}

static void drop(struct client *client) {
  close(client->fd);
  free(client->rest);
  free(client);
}

/* Sends what it can and keeps the rest; returns 0 if the connection is gone. */
static int answer(struct client *client, const char *data, size_t bytes) {
  size_t sent = 0;
  while (sent < bytes) {
    ssize_t n = send(client->fd, data + sent, bytes - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) return 0;
    sent += n;
  }
  char *rest = NULL;
  if (sent < bytes) {
    rest = malloc(bytes - sent);
    memcpy(rest, data + sent, bytes - sent);
  }
  int was_waiting = client->rest != NULL;
  free(client->rest);
  client->rest = rest;
  client->rest_bytes = bytes - sent;
  if (was_waiting != (rest != NULL)) watch(client, EPOLL_CTL_MOD, rest ? EPOLLOUT : EPOLLIN);
  return 1;
}

static void serve(struct client *client) {
  static char buffer[READ_BYTES];
  if (client->rest) {
    if (!answer(client, client->rest, client->rest_bytes)) drop(client);
    return;
  }
  ssize_t n = recv(client->fd, buffer, sizeof buffer, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0 || (echoing && !answer(client, buffer, n))) drop(client);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  echoing = strcmp(argv[2], "echo") == 0;
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);

  int is_tcp = strcmp(argv[1], "tcp") == 0, port = 0;
  int listener = socket(is_tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (is_tcp) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, bytes) < 0) die("bind");
    getsockname(listener, (struct sockaddr *)&address, &bytes);
    port = ntohs(address.sin_port);
  } else {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
  }
  if (listen(listener, 511) < 0) die("listen");
  epoll = epoll_create1(0);
  struct client accepting = {.fd = listener};
  watch(&accepting, EPOLL_CTL_ADD, EPOLLIN);
  if (is_tcp) printf("ready %d\n", port);
  else puts("ready");
  fflush(stdout);

  struct epoll_event events[EVENTS];
  for (;;) {
    int n = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < n; i++) {
      struct client *client = events[i].data.ptr;
      if (client != &accepting) {
        serve(client);
        continue;
      }
      int fd;
      while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct client *accepted = calloc(1, sizeof *accepted);
        accepted->fd = fd;
        int on = 1;
        if (is_tcp) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(accepted, EPOLL_CTL_ADD, EPOLLIN);
      }
    }
  }
}
