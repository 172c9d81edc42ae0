/* Files that change under their mappings; SIGBUS beyond the end. */
#include "guest.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>

static sigjmp_buf back;

static void
bus(int sig)
{
	siglongjmp(back, sig);
}

int
main(void)
{
	char path[] = "/tmp/pastime-guest-XXXXXX";
	int fd = mkstemp(path), sig;
	char page[4096], *priv, *shared;

	CHECK(fd >= 0);
	memset(page, 'a', sizeof(page));
	for (int i = 0; i < 3; i++)
		CHECK(write(fd, page, sizeof(page)) == sizeof(page));
	priv = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	shared = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(priv != MAP_FAILED && shared != MAP_FAILED);
	priv[0] = 'p';
	shared[1] = 's';
	CHECK(pwrite(fd, "w", 1, 2) == 1);
	CHECK(pwrite(fd, "W", 1, 4096) == 1);
	CHECK(shared[2] == 'w' && shared[4096] == 'W' && shared[0] == 'a');
	CHECK(priv[0] == 'p' && priv[2] == 'a');
	printf("an untouched private page shows the write: %c\n", priv[4096]);
	CHECK(unlink(path) == 0);
	shared[3] = 'x';
	CHECK(pread(fd, page, 4, 0) == 4 && page[1] == 's' && page[3] == 'x');
	/* private file pages go back to the file's content */
	CHECK(madvise(priv, 4096, MADV_DONTNEED) == 0);
	CHECK(priv[0] == 'a' && priv[1] == 's' && priv[2] == 'w');
	signal(SIGBUS, bus);
	CHECK(ftruncate(fd, 4096) == 0);
	sig = sigsetjmp(back, 1);
	if (!sig)
		page[0] = shared[8192];
	printf("beyond the end: %s\n", sig == SIGBUS ? "SIGBUS" : "nothing");
	return 0;
}
