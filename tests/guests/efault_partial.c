/* Output buffers that cross into unmapped memory: errors that still write. */
#include "guest.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>

static uint64_t h;

static void
show(const char *what, long r, const char *buf, size_t n)
{
	printf("%s %s\n", what, r < 0 ? strerror(errno) : "ok");
	h = fnv(h, buf, n);
}

int
main(void)
{
	char *t = tail_alloc(4096) + 4096; /* the end */
	int p[2], s[2];

	memset(t - 64, '.', 64);
	CHECK(!pipe(p) && !socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK(write(p[1], "0123456789abcdef", 16) == 16);
	show("pipe", read(p[0], t - 10, 16), t - 64, 64);
	CHECK(write(s[1], "0123456789abcdef", 16) == 16);
	show("socket", read(s[0], t - 10, 16), t - 64, 64);
	show("uname", syscall(SYS_uname, t - 100), t - 100, 100);
	show("stat", syscall(SYS_stat, "/", t - 100), t - 100, 100);
	show("clock", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, t - 8), t - 8, 0);
	show("getcwd", syscall(SYS_getcwd, t - 1, 100), t - 64, 64);
	show("readlink", syscall(SYS_readlink, "/proc/self/exe", t - 4, 100), t - 64, 64);
	show("getrandom", syscall(SYS_getrandom, t - 4, 8, 0) > 0 ? 0 : -1, t - 64, 0);
	show("pipe2", syscall(SYS_pipe2, t - 4, 0), t - 64, 0);
	show("wild", syscall(SYS_read, p[0], 8, 1), t, 0);
	CHECK(write(p[1], "0123456789abcdef", 16) == 16);
	/* Not the time from above, which differs from run to run. */
	memset(t - 64, '.', 64);
	show("huge", read(p[0], t - 10, 1ul << 40), t - 64, 64);
	printf("hash %d\n", h != 0);
	return 0;
}
