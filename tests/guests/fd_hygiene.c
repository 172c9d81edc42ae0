/* Programs that close everything; low numbers are the program's own. */
#include "guest.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

int
main(void)
{
	struct rlimit rl = { 16, 16 };
	int fd, n = 0;
	DIR *d;

	syscall(SYS_close_range, 3, ~0u, 0);
	fd = open("/dev/null", O_RDWR);
	CHECK(fd == 3 && dup2(fd, 900) == 900 && fcntl(fd, F_DUPFD, 100) == 100);
	for (int i = 3; i < 1024; i++)
		close(i);
	d = opendir("/proc/self/fd");
	while (readdir(d))
		n++;
	closedir(d);
	printf("entries %d\n", n);
	CHECK(!setrlimit(RLIMIT_NOFILE, &rl));
	for (n = 0; (fd = dup(0)) >= 0; n++)
		;
	printf("until the limit %d, %s\n", n, strerror(errno));
	return 0;
}
