/*
 * Bytes that reach the standard output without this program's memory: out of
 * files, pipes that are empty at first, a socket; messages, when the output is
 * a socket. What is possible depends on what the output is.
 */
#include "guest.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>

static int in, feed; /* what is spliced from, and its other end */

static void *
feeder(void *arg)
{
	usleep(10000);
	CHECK(write(feed, "late\n", 5) == 5);
	usleep(10000);
	CHECK(write(feed, "later\n", 6) == 6);
	close(feed);
	return arg;
}

/* All that comes, blocking while there is nothing. */
static void
drain(void)
{
	pthread_t t;
	ssize_t n;

	CHECK(!pthread_create(&t, NULL, feeder, NULL));
	while ((n = splice(in, NULL, 1, NULL, 1000, 0)) > 0)
		continue;
	CHECK(n == 0);
	CHECK(!pthread_join(t, NULL));
	close(in);
}

static void
from_file(bool to_file)
{
	char path[] = "/tmp/moves.XXXXXX";
	int fd = mkstemp(path);
	off_t off = 2;
	loff_t at = 3;

	CHECK(fd >= 0 && unlink(path) == 0);
	CHECK(write(fd, "0123456789\n", 11) == 11);
	CHECK(sendfile(1, fd, &off, 9) == 9 && off == 11);
	CHECK(lseek(fd, 5, SEEK_SET) == 5);
	CHECK(sendfile(1, fd, NULL, 100) == 6);
	CHECK(sendfile(1, fd, NULL, 100) == 0);
	if (to_file) {
		CHECK(copy_file_range(fd, &at, 1, NULL, 4, 0) == 4 && at == 7);
		CHECK(lseek(fd, 8, SEEK_SET) == 8);
		CHECK(copy_file_range(fd, NULL, 1, NULL, 100, 0) == 3);
	}
	close(fd);
}

static void
from_pipe(bool to_pipe)
{
	struct iovec v = { (void *)(uintptr_t) "mapped\n", 7 };
	int p[2], old;

	CHECK(pipe(p) == 0);
	old = fcntl(p[0], F_GETFL);
	CHECK(fcntl(p[0], F_SETFL, old | O_NONBLOCK) == 0);
	CHECK(splice(p[0], NULL, 1, NULL, 100, SPLICE_F_NONBLOCK) == -1 &&
	      errno == EAGAIN);
	CHECK(fcntl(p[0], F_SETFL, old) == 0);
	CHECK(write(p[1], "piped\n", 6) == 6);
	if (to_pipe) {
		CHECK(tee(p[0], 1, 100, 0) == 6);
		CHECK(vmsplice(1, &v, 1, 0) == 7);
	}
	CHECK(splice(p[0], NULL, 1, NULL, 4, 0) == 4);
	in = p[0];
	feed = p[1];
	drain();
}

static void
from_socket(void)
{
	int s[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	in = s[0];
	feed = s[1];
	drain();
}

static void
messages(void)
{
	struct iovec v[3] = { { (void *)(uintptr_t) "one", 3 },
			      { (void *)(uintptr_t) "two\n", 4 },
			      { (void *)(uintptr_t) "three\n", 6 } };
	struct mmsghdr m[2] = {
		{ .msg_hdr = { .msg_iov = v, .msg_iovlen = 2 } },
		{ .msg_hdr = { .msg_iov = v + 2, .msg_iovlen = 1 } }
	};

	CHECK(sendmmsg(1, m, 2, 0) == 2);
	CHECK(m[0].msg_len == 7 && m[1].msg_len == 6);
}

int
main(void)
{
	struct stat st;

	CHECK(fstat(1, &st) == 0);
	if (fcntl(1, F_GETFL) & O_APPEND) { /* the kernel refuses */
		CHECK(splice(0, NULL, 1, NULL, 1, 0) == -1);
		return 77;
	}
	from_file(S_ISREG(st.st_mode));
	from_pipe(S_ISFIFO(st.st_mode));
	if (S_ISFIFO(st.st_mode))
		from_socket();
	if (S_ISSOCK(st.st_mode))
		messages();
	return 0;
}
