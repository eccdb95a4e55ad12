/*
 * The load generator, in C so that it takes little of the machine from the server it drives.
 *
 *   load <socket path> <kind> <connections> <lines> <line bytes> [lf|prefixed|crlf|json]
 *
 * kind is one of
 *   echo     keeps its connections open; each sends <lines> lines at once, waits until all are back, and begins again
 *   churn    the same, but with a new connection each time
 *   swallow  opens one connection per run, sends 1 MiB blocks, ends its side, and waits for the server's end
 *
 * It says "ready" once its connections stand, then obeys "run <milliseconds>" on its standard input: when the time is over and every answer has come, it
 * prints one line of JSON. The answers are compared with what was sent. load.ts is the same in TypeScript, for where there is no gcc and for TLS.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 262144, BLOCK_BYTES = 1048576, EVENTS = 256 };

struct connection {
  int fd;
  size_t sent, received;
  double began;
};

static const char *path;
static int epoll;
static int connections;
static int churning;
static char *batch; /* what a connection sends at once, and has to get back */
static size_t batch_bytes;
static int batch_lines;
static struct connection *all;

static double *latencies;
static size_t latency_count, latency_room;

static void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static int open_connection(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) die("socket");
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) die("connect");
  return fd;
}

static void watch(struct connection *c, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  if (epoll_ctl(epoll, operation, c->fd, &event) < 0) die("epoll_ctl");
}

static void record(double latency) {
  if (latency_count == latency_room) {
    latency_room = latency_room ? 2 * latency_room : 65536;
    latencies = realloc(latencies, latency_room * sizeof *latencies);
    if (!latencies) die("realloc");
  }
  latencies[latency_count++] = latency;
}

static int compare(const void *a, const void *b) {
  double difference = *(const double *)a - *(const double *)b;
  return (difference > 0) - (difference < 0);
}

static double percentile_us(double share) {
  return latency_count ? latencies[(size_t)(share * (latency_count - 1))] * 1e6 : 0;
}

static void report(double units, double seconds) {
  qsort(latencies, latency_count, sizeof *latencies, compare);
  printf("{\"units\":%.0f,\"seconds\":%.6f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f}\n", units, seconds, percentile_us(0.5),
         percentile_us(0.9), percentile_us(0.99));
  fflush(stdout);
}

/* ---- echo and churn ---- */

static void send_more(struct connection *c) {
  while (c->sent < batch_bytes) {
    ssize_t n = send(c->fd, batch + c->sent, batch_bytes - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) {
      watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
      return;
    }
    if (n < 0) die("send");
    c->sent += n;
  }
}

static void begin_batch(struct connection *c) {
  if (churning) {
    c->fd = open_connection();
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
  }
  c->sent = c->received = 0;
  c->began = now();
  send_more(c);
}

/* Reads what there is; returns 1 when the batch is back. */
static int receive(struct connection *c) {
  static char buffer[READ_BYTES];
  ssize_t n = recv(c->fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return 0;
  if (n < 0) die("recv");
  if (n == 0 || c->received + n > batch_bytes || memcmp(buffer, batch + c->received, n) != 0) {
    fprintf(stderr, "load: %s\n", n == 0 ? "the server closed a connection" : "the answer differs from what was sent");
    exit(1);
  }
  c->received += n;
  return c->received == batch_bytes;
}

static void run_batches(double seconds) {
  struct epoll_event events[EVENTS];
  double begin = now(), end = begin + seconds;
  size_t batches = 0;
  int active = connections;
  latency_count = 0;
  for (int i = 0; i < connections; i++) begin_batch(&all[i]);
  while (active > 0) {
    int n = epoll_wait(epoll, events, EVENTS, -1);
    if (n < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < n; i++) {
      struct connection *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) {
        watch(c, EPOLL_CTL_MOD, EPOLLIN);
        send_more(c);
      }
      if (!(events[i].events & ~EPOLLOUT) || !receive(c)) continue;
      double time = now();
      record(time - c->began);
      batches++;
      if (churning) close(c->fd);
      if (time < end) begin_batch(c);
      else active--;
    }
  }
  report((double)batches * batch_lines, now() - begin);
}

/* ---- swallow ---- */

static void run_stream(double seconds) {
  static char block[BLOCK_BYTES];
  double begin = now(), end = begin + seconds, bytes = 0;
  int fd = open_connection();
  latency_count = 0;
  do {
    for (size_t sent = 0; sent < sizeof block;) {
      ssize_t n = send(fd, block + sent, sizeof block - sent, MSG_NOSIGNAL);
      if (n < 0) die("send");
      sent += n;
    }
    bytes += sizeof block;
  } while (now() < end);
  if (shutdown(fd, SHUT_WR) < 0) die("shutdown");
  if (recv(fd, block, sizeof block, 0) != 0) die("the server's end");
  close(fd);
  report(bytes, now() - begin);
}

/* Writes one message: letters, and what its format has around them. */
static void fill(char *message, size_t bytes, int number, const char *format) {
  for (size_t i = 0; i < bytes; i++) message[i] = 'a' + (number + i) % 26;
  if (strcmp(format, "prefixed") == 0) {
    for (int i = 0; i < 4; i++) message[i] = (bytes - 4) >> (24 - 8 * i);
    return;
  }
  message[bytes - 1] = '\n';
  if (strcmp(format, "crlf") == 0) message[bytes - 2] = '\r';
  if (strcmp(format, "json") != 0) return;
  static const char head[] = "{\"id\":123456,\"name\":\"", tail[] = "\",\"ok\":true,\"list\":[1,2,3]}\n";
  memcpy(message, head, sizeof head - 1);
  memcpy(message + bytes - (sizeof tail - 1), tail, sizeof tail - 1);
}

int main(int argc, char **argv) {
  if (argc != 6 && argc != 7) {
    fprintf(stderr, "usage: load <socket path> echo|churn|swallow <connections> <lines> <line bytes> [<format>]\n");
    return 2;
  }
  path = argv[1];
  int swallowing = strcmp(argv[2], "swallow") == 0;
  churning = strcmp(argv[2], "churn") == 0;
  connections = atoi(argv[3]);
  batch_lines = atoi(argv[4]);
  size_t line_bytes = atoi(argv[5]);

  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);

  batch_bytes = batch_lines * line_bytes;
  batch = malloc(batch_bytes);
  for (int line = 0; line < batch_lines; line++) fill(batch + line * line_bytes, line_bytes, line, argc == 7 ? argv[6] : "lf");
  all = calloc(connections, sizeof *all);
  epoll = epoll_create1(0);
  for (int i = 0; !swallowing && !churning && i < connections; i++) {
    all[i].fd = open_connection();
    watch(&all[i], EPOLL_CTL_ADD, EPOLLIN);
  }
  puts("ready");
  fflush(stdout);

  int milliseconds;
  while (scanf(" run %d", &milliseconds) == 1) {
    if (swallowing) run_stream(milliseconds / 1e3);
    else run_batches(milliseconds / 1e3);
  }
  return 0;
}
