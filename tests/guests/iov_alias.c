/* Calls that overwrite their own descriptors. */
#include "guest.h"
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

int
main(void)
{
	int s[2];
	struct iovec v[3];
	char tail[16];
	struct {
		struct msghdr m;
		char rest[64];
	} x;
	struct timespec ts = { 0, 1000000 };

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	v[0] = (struct iovec){ &v[1], sizeof(v[1]) };
	v[1] = (struct iovec){ tail, 4 };
	v[2] = (struct iovec){ tail + 4, 4 };
	CHECK(write(s[1], "ABCDEFGHIJKLMNOPqrstuvwx", 24) == 24);
	CHECK(readv(s[0], v, 3) == 24);
	CHECK(!memcmp(&v[1], "ABCDEFGHIJKLMNOP", 16) && !memcmp(tail, "qrstuvwx", 8));
	memset(&x, 0, sizeof(x));
	v[0] = (struct iovec){ &x.m.msg_flags, 8 };
	v[1] = (struct iovec){ x.rest, 8 };
	x.m.msg_iov = v;
	x.m.msg_iovlen = 2;
	CHECK(write(s[1], "0123456789abcdef", 16) == 16);
	CHECK(recvmsg(s[0], &x.m, 0) == 16);
	CHECK(!memcmp(x.rest, "89abcdef", 8));
	CHECK(!nanosleep(&ts, &ts));
	printf("aliases survive\n");
	return 0;
}
