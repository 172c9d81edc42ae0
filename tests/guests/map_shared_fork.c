/* Parent and child share memory: anonymous, a file, and write(2) into it. */
#include "guest.h"
#include <fcntl.h>
#include <stdatomic.h>

int
main(void)
{
	atomic_int *count = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char path[] = "/tmp/pastime-guest-XXXXXX";
	int fd = mkstemp(path), up[2], down[2];
	char *text, c;
	pid_t pid;

	CHECK(count != MAP_FAILED && fd >= 0);
	CHECK(!unlink(path) && !ftruncate(fd, 4096) && !pipe(up) && !pipe(down));
	text = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(text != MAP_FAILED);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		for (int i = 0; i < 1000; i++)
			atomic_fetch_add(count, 1);
		strcpy(text, "from the child");
		CHECK(write(up[1], "x", 1) == 1);
		CHECK(read(down[0], &c, 1) == 1);
		_exit(!strcmp(text + 100, "by write") ? 0 : 1);
	}
	for (int i = 0; i < 1000; i++)
		atomic_fetch_add(count, 1);
	CHECK(read(up[0], &c, 1) == 1);
	CHECK(!strcmp(text, "from the child"));
	CHECK(pwrite(fd, "by write", 9, 100) == 9);
	CHECK(write(down[1], "x", 1) == 1);
	CHECK(reap(pid) == 0);
	printf("count %d, text %s\n", atomic_load(count), text);
	return 0;
}
