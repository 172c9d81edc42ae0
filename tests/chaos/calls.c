/* calls w|s|p|u: wakes, spurious ends, short reads of a pipe or a socket. */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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
	case 'p':
		if (pipe(fd) == 0)
			shorts(fd);
		break;
	case 'u':
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0)
			shorts(fd);
		break;
	}
	return argc != 2;
}
