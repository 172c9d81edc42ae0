/* What pastime refuses is refused the way an older kernel would. */
#include "guest.h"
#include <linux/futex.h>
#include <sys/syscall.h>

static void
try(const char *name, long r)
{
	printf("%s %s\n", name, r == -1 ? "refused" : "works");
}

int
main(void)
{
	char zeros[256] = { 0 };
	unsigned long ctx = 0;

	try("io_uring_setup", syscall(425, 4, zeros));
	try("io_setup", syscall(SYS_io_setup, 4, &ctx));
	try("userfaultfd", syscall(SYS_userfaultfd, 0));
	try("perf_event_open", syscall(SYS_perf_event_open, zeros, 0, -1, -1, 0));
	try("bpf", syscall(SYS_bpf, 0, zeros, 72));
	try("rseq", syscall(334, zeros, 32, 0, 0x53053053));
	try("memfd_secret", syscall(447, 0));
	try("number 999", syscall(999));
	CHECK(errno == ENOSYS);
	CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
	return 0;
}
