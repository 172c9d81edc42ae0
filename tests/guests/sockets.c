/* TCP, UDP and UNIX sockets: connect, accept, names, PEEK, TRUNC, half close. */
#include "guest.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

static int
server(struct sockaddr_in *sa)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(*sa);

	memset(sa, 0, sizeof(*sa));
	sa->sin_family = AF_INET;
	sa->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(s >= 0 && !bind(s, (void *)sa, sizeof(*sa)) && !listen(s, 5));
	CHECK(!getsockname(s, (void *)sa, &len) && len == sizeof(*sa));
	return s;
}

static void
udp(void)
{
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, from;
	socklen_t len = sizeof(sa);
	char buf[4];

	CHECK(!bind(a, (void *)&sa, len) && !getsockname(a, (void *)&sa, &len));
	CHECK(sendto(b, "0123456789", 10, 0, (void *)&sa, sizeof(sa)) == 10);
	CHECK(recvfrom(a, buf, 4, MSG_PEEK, NULL, NULL) == 4);
	len = sizeof(from);
	CHECK(recvfrom(a, buf, 4, MSG_TRUNC, (void *)&from, &len) == 10);
	CHECK(from.sin_family == AF_INET && recv(a, buf, 4, MSG_DONTWAIT) == -1);
}

int
main(void)
{
	struct sockaddr_in sa, peer;
	socklen_t len = sizeof(peer);
	int l = server(&sa), c, n = 0;
	struct pollfd pf = { .fd = l, .events = POLLIN };
	char buf[100];
	int err = -1;
	socklen_t elen = sizeof(err);
	pid_t pid = fork();

	if (!pid) {
		c = socket(AF_INET, SOCK_STREAM, 0);
		CHECK(!connect(c, (void *)&sa, sizeof(sa)));
		CHECK(write(c, "request", 7) == 7 && !shutdown(c, SHUT_WR));
		while ((n = (int)read(c, buf, sizeof(buf))) > 0)
			;
		_exit(n == 0 ? 0 : 1);
	}
	CHECK(poll(&pf, 1, -1) == 1);
	c = accept4(l, (void *)&peer, &len, SOCK_CLOEXEC);
	CHECK(c >= 0 && peer.sin_family == AF_INET);
	CHECK(!getsockopt(c, SOL_SOCKET, SO_ERROR, &err, &elen) && err == 0);
	while ((n = (int)read(c, buf, sizeof(buf))) > 0)
		CHECK(write(c, buf, (size_t)n) == n);
	CHECK(!close(c) && reap(pid) == 0);
	udp();
	printf("sockets agree\n");
	return 0;
}
