/* calls w|s|e|p|u|v|m [threads]: wakes, spurious ends, EINTR, short reads of a
 * pipe or a socket, vectors and messages. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static atomic_int word, came, turn, order[4];

static long
futex(int op, int val, const struct timespec *ts)
{
	return syscall(SYS_futex, &word, op | FUTEX_PRIVATE_FLAG, val, ts, NULL,
		       0);
}

static void *
waiter(void *arg)
{
	int me = ++came;

	futex(FUTEX_WAIT, 0, NULL);
	order[turn++] = me;
	return arg;
}

/* Three come to wait, and are woken one by one: who, by when it came? */
static void
wakes(void)
{
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, waiter, NULL);
	while (came < 3)
		sched_yield();
	for (int i = 0; i < 3; i++) {
		while (futex(FUTEX_WAKE, 1, NULL) != 1)
			sched_yield();
		while (turn == i)
			sched_yield();
	}
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	printf("order %d %d %d\n", order[0], order[1], order[2]);
}

/* How many of 200 waits nobody ends were ended. */
static void
spurious(void)
{
	struct timespec ts = { 0, 100000 };
	int n = 0;

	for (int i = 0; i < 200; i++)
		n += futex(FUTEX_WAIT, 0, &ts) == 0;
	printf("ended %d\n", n);
}

/* How many of 200 waits failed with EINTR. */
static void
interrupted(void)
{
	int fd = epoll_create1(0), n = 0;
	struct epoll_event ev;

	for (int i = 0; i < 200; i++)
		n += epoll_wait(fd, &ev, 1, 1) < 0 && errno == EINTR;
	printf("interrupted %d\n", n);
}

/* 40000 bytes through a stream in pieces of 100: how many came short? */
static void
shorts(int *fd)
{
	char out[100], in[100];
	int n = 0, got, sum = 0;

	memset(out, 'x', sizeof(out));
	if (fork() == 0) {
		close(fd[0]);
		for (int i = 0; i < 400; i++)
			if (write(fd[1], out, sizeof(out)) != sizeof(out))
				_exit(1);
		_exit(0);
	}
	close(fd[1]);
	while ((got = (int)read(fd[0], in, sizeof(in))) > 0) {
		sum += got;
		n += got < 100;
	}
	wait(NULL);
	printf("%d bytes, %s\n", sum, n > 0 ? "some short" : "none short");
}

#define PARTS 4

static struct iovec part[PARTS], told[PARTS];
static struct msghdr message, told_message;

/* One call for n bytes in four buffers; what it was given is as it was. */
static ssize_t
transfer(int fd, char *p, size_t n, int by_message, int writes)
{
	ssize_t ret;

	for (size_t i = 0; i < PARTS; i++) {
		part[i].iov_base = p + i * (n / PARTS);
		part[i].iov_len = n / PARTS;
	}
	message = (struct msghdr){ .msg_iov = part, .msg_iovlen = PARTS };
	memcpy(told, part, sizeof(told));
	told_message = message;
	if (by_message)
		ret = writes ? sendmsg(fd, &message, 0)
			     : recvmsg(fd, &message, 0);
	else
		ret = writes ? writev(fd, part, PARTS) : readv(fd, part, PARTS);
	message.msg_flags = 0;
	if (memcmp(told, part, sizeof(told)) != 0 ||
	    memcmp(&told_message, &message, sizeof(message)) != 0)
		printf("changed\n");
	return ret;
}

static void *
stand_by(void *arg)
{
	char c;

	return read(*(int *)arg, &c, 1) < 0 ? arg : NULL;
}

/* 40000 bytes and more in vectors of 100 through a stream, both ways; with
 * another thread or not. */
static void
vectors(int by_message, int threads)
{
	int fd[2], end[2], shorts[2] = { 0 }, sum = 0, bad = 0;
	char out[100], in[100];
	ssize_t got;
	pthread_t t;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0 || pipe(end) < 0 ||
	    (threads && pthread_create(&t, NULL, stand_by, end) != 0))
		return;
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	for (int sent = 0; sent < 40000;) {
		for (int i = 0; i < 100; i++)
			out[i] = (char)((sent + i) % 251);
		got = transfer(fd[1], out, sizeof(out), by_message, 1);
		shorts[1] += got < 100;
		sent += (int)got;
		for (ssize_t left = got; left > 0; left -= got) {
			got = transfer(fd[0], in, sizeof(in), by_message, 0);
			shorts[0] += got < left;
			for (ssize_t i = 0; i < got; i++)
				bad += in[i] != (char)((sum + i) % 251);
			sum += (int)got;
		}
	}
	close(end[1]);
	if (threads)
		pthread_join(t, NULL);
	printf("%s, %d bad, reads %s, writes %s\n",
	       sum >= 40000 ? "all" : "lost", bad,
	       shorts[0] > 0 ? "short" : "whole",
	       shorts[1] > 0 ? "short" : "whole");
}

int
main(int argc, char **argv)
{
	int fd[2];

	switch (argv[1][0]) {
	case 'w':
		wakes();
		break;
	case 's':
		spurious();
		break;
	case 'e':
		interrupted();
		break;
	case 'p':
		if (pipe(fd) == 0)
			shorts(fd);
		break;
	case 'u':
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0)
			shorts(fd);
		break;
	case 'v':
	case 'm':
		vectors(argv[1][0] == 'm', argc > 2);
		break;
	}
	return 0;
}
