/* Calls that block while another thread runs: every kind of output buffer. */
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#define BIG (2500u * 1024)

static int go[2], data[2], udp[2], tcp, queue;
static struct sockaddr_in udp_addr[2], tcp_addr;

/* What the other thread does when told by a byte. */
static void
act(char what)
{
	struct { long type; char text[8]; } msg = { 3, "message" };
	char *big;
	int fd;

	switch (what) {
	case 'w':
		CHECK(write(data[1], "hello, world", 12) == 12);
		break;
	case 'u':
		for (int i = 0; i < 3; i++)
			CHECK(sendto(udp[1], "abcdef" + i, 4, 0,
				     (struct sockaddr *)&udp_addr[0],
				     sizeof(udp_addr[0])) == 4);
		break;
	case 'c':
		fd = socket(AF_INET, SOCK_STREAM, 0);
		CHECK(connect(fd, (struct sockaddr *)&tcp_addr,
			      sizeof(tcp_addr)) == 0);
		CHECK(close(fd) == 0);
		break;
	case 'm':
		CHECK(msgsnd(queue, &msg, sizeof(msg.text), 0) == 0);
		break;
	case 'b':
		big = malloc(BIG);
		memset(big, 'B', BIG);
		for (size_t done = 0; done < BIG;) {
			ssize_t n = write(data[1], big + done, BIG - done);

			CHECK(n > 0);
			done += (size_t)n;
		}
		free(big);
		break;
	}
}

static void *
other(void *arg)
{
	struct timespec nap = { 0, 3000000 };
	char what;

	while (read(go[0], &what, 1) == 1) {
		nanosleep(&nap, NULL); /* let the first one block */
		act(what);
	}
	return arg;
}

static void
tell(char what)
{
	CHECK(write(go[1], &what, 1) == 1);
}

static void
vectors(void)
{
	char *tail = tail_alloc(5), a[4], b[64];
	struct iovec v[3] = { { a, 4 }, { tail, 5 }, { b, sizeof(b) } };

	tell('w');
	CHECK(readv(data[0], v, 3) == 12);
	CHECK(memcmp(a, "hell", 4) == 0 && memcmp(tail, "o, wo", 5) == 0 &&
	      memcmp(b, "rld", 3) == 0);
	CHECK(v[0].iov_base == a && v[1].iov_base == tail);
}

static void
messages(void)
{
	struct sockaddr_in from = { 0 };
	char text[3][16] = { { 0 } };
	struct iovec v[3] = { { text[0], 16 }, { text[1], 16 }, { text[2], 16 } };
	struct msghdr h = { .msg_name = &from,
			    .msg_namelen = sizeof(from),
			    .msg_iov = v,
			    .msg_iovlen = 1 };
	struct mmsghdr mm[2] = { { { .msg_iov = v + 1, .msg_iovlen = 1 }, 0 },
				 { { .msg_iov = v + 2, .msg_iovlen = 1 }, 0 } };
	socklen_t len = sizeof(from);

	tell('u');
	CHECK(recvmsg(udp[0], &h, 0) == 4 && memcmp(text[0], "abcd", 4) == 0);
	CHECK(from.sin_port == udp_addr[1].sin_port && h.msg_iov == v &&
	      h.msg_name == &from && h.msg_namelen == sizeof(from));
	CHECK(recvmmsg(udp[0], mm, 2, 0, NULL) == 2);
	CHECK(mm[0].msg_len == 4 && memcmp(text[1], "bcde", 4) == 0 &&
	      memcmp(text[2], "cdef", 4) == 0 && mm[1].msg_hdr.msg_iov == v + 2);
	memset(&from, 0, sizeof(from));
	tell('u');
	for (int i = 0; i < 3; i++)
		CHECK(recvfrom(udp[0], text[i], 16, 0, (struct sockaddr *)&from,
			       &len) == 4 &&
		      from.sin_port == udp_addr[1].sin_port);
}

static void
readiness(void)
{
	struct pollfd p[2] = { { data[0], POLLIN, 0 }, { -1, POLLIN, 7 } };
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 0x1234567 };
	struct epoll_event *got = tail_alloc(2 * sizeof(ev));
	struct timeval tv = { 30, 0 };
	int ep = epoll_create1(0);
	char b[16];
	fd_set in;

	tell('w');
	CHECK(poll(p, 2, -1) == 1 && p[0].revents == POLLIN && !p[1].revents);
	CHECK(read(data[0], b, 16) == 12);
	tell('w');
	FD_ZERO(&in);
	FD_SET(data[0], &in);
	CHECK(select(data[0] + 1, &in, NULL, NULL, &tv) == 1);
	CHECK(FD_ISSET(data[0], &in) && tv.tv_sec < 30);
	CHECK(read(data[0], b, 16) == 12);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, data[0], &ev) == 0);
	tell('w');
	CHECK(epoll_wait(ep, got, 2, -1) == 1 && got->data.u64 == 0x1234567);
	CHECK(read(data[0], b, 16) == 12);
}

static void
the_rest(void)
{
	struct { long type; char text[32]; } msg;
	struct sockaddr_in peer = { 0 };
	socklen_t len = sizeof(peer);
	struct rusage ru;
	siginfo_t si;
	int st = -1, fd;
	pid_t pid;

	tell('c');
	fd = accept(tcp, (struct sockaddr *)&peer, &len);
	CHECK(fd >= 0 && len == sizeof(peer) && peer.sin_family == AF_INET);
	tell('m');
	CHECK(msgrcv(queue, &msg, sizeof(msg.text), 0, 0) == 8);
	CHECK(msg.type == 3 && strcmp(msg.text, "message") == 0);
	pid = fork();
	if (pid == 0) {
		usleep(2000);
		_exit(7);
	}
	CHECK(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT) == 0);
	CHECK(si.si_pid == pid && si.si_status == 7);
	CHECK(wait4(pid, &st, 0, &ru) == pid && WEXITSTATUS(st) == 7);
}

static void
large(void)
{
	char *buf = malloc(BIG);
	size_t done = 0;

	tell('b');
	while (done < BIG) {
		ssize_t n = read(data[0], buf + done, BIG - done);

		CHECK(n > 0);
		done += (size_t)n;
	}
	for (size_t i = 0; i < BIG; i++)
		CHECK(buf[i] == 'B');
	free(buf);
}

static void
open_all(void)
{
	socklen_t len = sizeof(tcp_addr);

	CHECK(pipe(go) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, data) == 0);
	for (int i = 0; i < 2; i++) {
		udp[i] = socket(AF_INET, SOCK_DGRAM, 0);
		udp_addr[i].sin_family = AF_INET;
		udp_addr[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		CHECK(bind(udp[i], (struct sockaddr *)&udp_addr[i],
			   sizeof(udp_addr[i])) == 0);
		CHECK(getsockname(udp[i], (struct sockaddr *)&udp_addr[i],
				  &len) == 0);
	}
	tcp = socket(AF_INET, SOCK_STREAM, 0);
	tcp_addr.sin_family = AF_INET;
	tcp_addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(bind(tcp, (struct sockaddr *)&tcp_addr, sizeof(tcp_addr)) == 0);
	CHECK(getsockname(tcp, (struct sockaddr *)&tcp_addr, &len) == 0);
	CHECK(listen(tcp, 5) == 0);
	queue = msgget(IPC_PRIVATE, 0600 | IPC_CREAT);
	CHECK(queue >= 0);
}

int
main(void)
{
	pthread_t t;

	open_all();
	CHECK(pthread_create(&t, NULL, other, NULL) == 0);
	vectors();
	messages();
	readiness();
	the_rest();
	large();
	CHECK(close(go[1]) == 0);
	CHECK(pthread_join(t, NULL) == 0);
	CHECK(msgctl(queue, IPC_RMID, NULL) == 0);
	puts("all buffers as the kernel filled them");
	return 0;
}
