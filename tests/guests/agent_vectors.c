/* Calls with several buffers, on files, pipes and sockets, often enough to be
 * the agent's: vectors that overlap, that are filled over themselves, that end
 * in no memory; messages with names, descriptors and rests; files into sockets.
 */
#include "guest.h"
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

#define TIMES 30

static uint64_t sum; /* of all that came */

static void
take(const void *p, size_t n)
{
	sum = fnv(sum, p, n);
}

/* 3 + 0 + 5 + 8 bytes. */
static int
vector(struct iovec v[4], char *a)
{
	v[0] = (struct iovec){ a, 3 };
	v[1] = (struct iovec){ a + 100, 0 };
	v[2] = (struct iovec){ a + 200, 5 };
	v[3] = (struct iovec){ a + 300, 8 };
	return 4;
}

static void
through(int in, int out, int round)
{
	char a[512], b[512];
	struct iovec v[4], w[4];

	memset(a, round, sizeof(a));
	memset(b, 0, sizeof(b));
	CHECK(writev(out, v, vector(v, a)) == 16);
	CHECK(readv(in, w, vector(w, b)) == 16);
	CHECK(b[0] == round && b[3] == 0 && b[204] == round && b[205] == 0);
	take(b, sizeof(b));
	/* one over the other: the later one is what stays */
	CHECK(write(out, "0123456789", 10) == 10);
	w[0] = (struct iovec){ b, 6 };
	w[1] = (struct iovec){ b + 3, 4 };
	CHECK(readv(in, w, 2) == 10);
	CHECK(!memcmp(b, "0126789", 7));
	/* the same twice, and a longer one from the same place */
	v[0] = (struct iovec){ "abcdef", 2 };
	v[1] = (struct iovec){ v[0].iov_base, 6 };
	v[2] = v[0];
	CHECK(writev(out, v, 3) == 10);
	CHECK(read(in, b, 10) == 10 && !memcmp(b, "ababcdefab", 10));
	take(b, 10);
}

/* The vector itself is what is filled. */
static void
over_itself(int in, int out)
{
	struct iovec v[2] = { { NULL, 0 } }, was[2];
	char b[16];

	v[0] = (struct iovec){ v, sizeof(v[0]) };
	v[1] = (struct iovec){ b, 4 };
	memcpy(was, v, sizeof(v));
	CHECK(write(out, "xxxxxxxxxxxxxxxxyyyy", 20) == 20);
	CHECK(readv(in, v, 2) == 20);
	CHECK(!memcmp(v, "xxxxxxxxxxxxxxxx", 16) && !memcmp(b, "yyyy", 4));
	CHECK(!memcmp(&v[1], &was[1], sizeof(v[1])));
}

/* It ends where there is no memory. */
static void
no_memory(int in, int out)
{
	char *tail = tail_alloc(8);
	volatile int less = -1;
	struct iovec v[2] = { { tail, 8 }, { tail + 8, 8 } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };

	CHECK(write(out, "12345678", 8) == 8);
	CHECK(readv(in, v, 1) == 8 && !memcmp(tail, "12345678", 8));
	v[0].iov_len = 8;
	CHECK(writev(out, v + 1, 1) < 0 && errno == EFAULT);
	CHECK(sendmsg(out, &m, MSG_DONTWAIT) < 0);
	CHECK(readv(in, (struct iovec *)(tail + 4), 1) < 0 && errno == EFAULT);
	CHECK(munmap((char *)((uintptr_t)tail & ~4095ul), 4096) == 0);
	v[1].iov_len = SIZE_MAX;
	CHECK(readv(in, v, 2) < 0 && (errno == EINVAL || errno == EFAULT));
	CHECK(readv(in, v, less) < 0 && errno == EINVAL);
	CHECK(readv(in, v, 0) == 0 && writev(out, NULL, 0) == 0);
}

static void
file(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	char a[512], b[512];
	struct iovec v[4], w[4];

	CHECK(fd >= 0);
	for (int i = 0; i < TIMES; i++) {
		memset(a, i + 1, sizeof(a));
		CHECK(pwritev(fd, v, vector(v, a), 5 + i) == 16);
		CHECK(preadv(fd, w, vector(w, b), i) > 0);
		take(b, 3);
		CHECK(lseek(fd, 0, SEEK_SET) == 0);
		CHECK(writev(fd, v, 4) == 16 && readv(fd, w, 4) > 0);
		CHECK(preadv(fd, w, 4, 1 << 20) == 0);
		CHECK(preadv(fd, w, 4, -1) < 0 && errno == EINVAL);
	}
	CHECK(!close(fd));
}

/* ---- messages */

static void
send_it(int s, const char *text, int fd, const struct sockaddr_un *to)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} c = { 0 };
	struct iovec v[2] = { { (void *)(uintptr_t)text, 2 },
			      { (void *)(uintptr_t)(text + 2),
				strlen(text) - 2 } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };

	if (to != NULL) {
		m.msg_name = (void *)(uintptr_t)to;
		m.msg_namelen = sizeof(*to);
	}
	if (fd >= 0) {
		m.msg_control = &c;
		m.msg_controllen = CMSG_LEN(sizeof(int));
		c.h.cmsg_level = SOL_SOCKET;
		c.h.cmsg_type = SCM_RIGHTS;
		c.h.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&c.h), &fd, sizeof(int));
	}
	CHECK(sendmsg(s, &m, MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

/* Returns the descriptor that came with it, or -1. */
static int
receive(int s, int flags, ssize_t want, int *flags_out)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} c = { 0 };
	char a[4] = { 0 }, b[64] = { 0 };
	struct iovec v[2] = { { a, 4 }, { b, 20 } };
	struct sockaddr_un from = { 0 };
	struct msghdr m = { .msg_name = &from,
			    .msg_namelen = sizeof(from),
			    .msg_iov = v,
			    .msg_iovlen = 2,
			    .msg_control = &c,
			    .msg_controllen = sizeof(c) };
	int fd = -1;

	CHECK(recvmsg(s, &m, flags) == want);
	take(a, sizeof(a));
	take(b, sizeof(b));
	take(&from, m.msg_namelen < sizeof(from) ? m.msg_namelen : 0);
	*flags_out = m.msg_flags;
	if (m.msg_controllen >= CMSG_LEN(sizeof(int)) &&
	    c.h.cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(&c.h), sizeof(int));
	return fd;
}

/* A descriptor's number stands for something else again and again: what the
 * agent knows of it must not be kept. */
static void
descriptors(int s[2], const char *name)
{
	int file = open(name, O_RDONLY), p[2], fd, flags;
	char c;

	CHECK(file >= 0 && !pipe(p));
	send_it(s[0], "file", file, NULL);
	fd = receive(s[1], 0, 4, &flags);
	CHECK(fd >= 0 && read(fd, &c, 1) == 1 && lseek(fd, 0, SEEK_CUR) >= 1);
	CHECK(!close(fd));
	send_it(s[0], "pipe", p[0], NULL);
	CHECK(receive(s[1], 0, 4, &flags) == fd);
	CHECK(write(p[1], "p", 1) == 1);
	CHECK(read(fd, &c, 1) == 1 && c == 'p');
	CHECK(lseek(fd, 0, SEEK_CUR) < 0 && errno == ESPIPE);
	/* what has not been received yet is received when it is looked at */
	CHECK(!close(fd) && !close(file) && !close(p[0]) && !close(p[1]));
}

static void
messages(int type, const char *name)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int s[2], flags;
	struct msghdr none = { 0 };

	CHECK(!socketpair(AF_UNIX, type, 0, s));
	snprintf(to.sun_path, sizeof(to.sun_path), "%s.s%d", name, type);
	unlink(to.sun_path);
	CHECK(!bind(s[0], (struct sockaddr *)&to, sizeof(to)));
	for (int i = 0; i < TIMES; i++) {
		send_it(s[0], "hello there", -1, NULL);
		receive(s[1], MSG_PEEK, 11, &flags);
		receive(s[1], 0, 11, &flags);
		CHECK(recvmsg(s[1], &none, MSG_DONTWAIT) < 0 &&
		      errno == EAGAIN);
		descriptors(s, name);
		/* more than there is room for */
		send_it(s[0], "0123456789012345678901234567890123456789", -1,
			NULL);
		if (type == SOCK_DGRAM) {
			receive(s[1], MSG_TRUNC, 40, &flags);
			CHECK(flags & MSG_TRUNC);
		} else {
			receive(s[1], 0, 24, &flags);
			receive(s[1], 0, 16, &flags);
		}
		through(s[1], s[0], i + 1);
		over_itself(s[1], s[0]);
		no_memory(s[1], s[0]);
		while (recv(s[1], &flags, 1, MSG_DONTWAIT) > 0)
			;
	}
	CHECK(!close(s[0]) && !close(s[1]) && !unlink(to.sun_path));
}

/* ---- sendfile */

static void
files_out(const char *name)
{
	char to_name[64], b[64];
	int s[2], p[2], fd = open(name, O_RDWR), to;

	snprintf(to_name, sizeof(to_name), "%s.to", name);
	to = open(to_name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0 && to >= 0 && !pipe(p));
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	for (int i = 0; i < TIMES; i++) {
		off_t off = i % 7;

		CHECK(sendfile(s[0], fd, &off, 10) == 10 && off == i % 7 + 10);
		CHECK(read(s[1], b, sizeof(b)) == 10);
		take(b, 10);
		CHECK(lseek(fd, 0, SEEK_SET) == 0);
		CHECK(sendfile(p[1], fd, NULL, 5) == 5 &&
		      lseek(fd, 0, SEEK_CUR) == 5);
		CHECK(read(p[0], b, sizeof(b)) == 5);
		CHECK(sendfile(to, fd, &off, 8) == 8);
		off = 1 << 20;
		CHECK(sendfile(s[0], fd, &off, 10) == 0 && off == 1 << 20);
		CHECK(sendfile(s[0], p[0], NULL, 1) < 0);
		CHECK(sendfile(s[0], fd, (off_t *)8, 1) < 0 && errno == EFAULT);
	}
	CHECK(!close(s[1]));
	CHECK(!close(s[0]) && !close(p[0]) && !close(p[1]));
	CHECK(!close(fd) && !close(to) && !unlink(to_name));
}

int
main(void)
{
	char name[] = "/tmp/agent_vectors.XXXXXX";
	int fd = mkstemp(name), p[2];

	CHECK(fd >= 0 && !close(fd) && !pipe(p));
	for (int i = 0; i < TIMES; i++) {
		through(p[0], p[1], i + 1);
		over_itself(p[0], p[1]);
	}
	file(name);
	messages(SOCK_STREAM, name);
	messages(SOCK_DGRAM, name);
	files_out(name);
	CHECK(!unlink(name));
	printf("several buffers\n");
	return 0;
}
