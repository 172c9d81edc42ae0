/* Descriptors and credentials over sockets; several messages in one call. */
#include "guest.h"
#include <sys/socket.h>

static void
send_fd(int s, int fd)
{
	char c = 'f', control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(int));
	CHECK(sendmsg(s, &m, 0) == 1);
}

static int
recv_fd(int s)
{
	char c, control[CMSG_SPACE(sizeof(int))];
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int fd;

	CHECK(recvmsg(s, &m, 0) == 1 && CMSG_FIRSTHDR(&m));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	return fd;
}

int
main(void)
{
	int s[2], d[2], p[2], fd;
	struct mmsghdr mm[4] = { 0 };
	struct iovec v[4];
	char bufs[4][16];
	pid_t pid;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s) && !pipe(p));
	pid = fork();
	if (!pid) {
		send_fd(s[1], p[1]);
		_exit(0);
	}
	fd = recv_fd(s[0]);
	CHECK(write(fd, "through", 7) == 7 && read(p[0], bufs[0], 7) == 7);
	CHECK(reap(pid) == 0);
	CHECK(!socketpair(AF_UNIX, SOCK_DGRAM, 0, d));
	for (int i = 0; i < 4; i++) {
		v[i] = (struct iovec){ bufs[i], sizeof(bufs[i]) };
		mm[i].msg_hdr.msg_iov = &v[i];
		mm[i].msg_hdr.msg_iovlen = 1;
	}
	for (int i = 0; i < 3; i++)
		CHECK(send(d[1], "datagram" + i, 8 - (size_t)i, 0) > 0);
	CHECK(recvmmsg(d[0], mm, 4, MSG_DONTWAIT, NULL) == 3);
	printf("%u %u %u\n", mm[0].msg_len, mm[1].msg_len, mm[2].msg_len);
	return 0;
}
