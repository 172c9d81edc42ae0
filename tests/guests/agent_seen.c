/*
 * Files that are opened right after the program has asked what they are: what
 * it was told is still so, or no longer.
 */
#include "guest.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#define TURNS 40

static char path[64];

static void *
write_one(void *arg)
{
	int fd = open(arg, O_WRONLY); /* waits for a reader */

	CHECK(fd >= 0 && write(fd, "w", 1) == 1 && close(fd) == 0);
	return NULL;
}

/* Another thread has to run until the FIFO can be opened. */
static void
open_fifo(int dir, const char *fifo)
{
	pthread_t t;
	char c = 0;
	int fd;

	CHECK(pthread_create(&t, NULL, write_one, (void *)fifo) == 0);
	fd = openat(dir, path, O_RDONLY);
	CHECK(fd >= 0 && read(fd, &c, 1) == 1 && c == 'w' && close(fd) == 0);
	CHECK(pthread_join(t, NULL) == 0);
}

int
main(void)
{
	struct stat st, again;
	int one, two, fd;
	char c;

	CHECK(mkdir("one", 0700) == 0 && mkdir("two", 0700) == 0);
	CHECK((one = open("one", O_RDONLY | O_DIRECTORY)) >= 0);
	CHECK((two = open("two", O_RDONLY | O_DIRECTORY)) >= 0);
	CHECK(mkfifo("one/xb", 0600) == 0 && mkfifo("two/xa", 0600) == 0);
	fd = openat(one, "xa", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0 && write(fd, "a", 1) == 1 && close(fd) == 0);
	for (int i = 0; i < TURNS; i++) {
		strcpy(path, "xa");
		CHECK(fstatat(one, path, &st, 0) == 0 && S_ISREG(st.st_mode));
		CHECK((fd = openat(one, path, O_RDONLY)) >= 0);
		CHECK(fstat(fd, &again) == 0 && again.st_ino == st.st_ino);
		CHECK(read(fd, &c, 1) == 1 && c == 'a' && close(fd) == 0);
	}
	for (int i = 0; i < 4; i++) {
		/* The name has become another. */
		strcpy(path, "xa");
		CHECK(fstatat(one, path, &st, 0) == 0 && S_ISREG(st.st_mode));
		path[1] = 'b';
		open_fifo(one, "one/xb");
		/* The same name elsewhere. */
		strcpy(path, "xa");
		CHECK(fstatat(one, path, &st, 0) == 0 && S_ISREG(st.st_mode));
		open_fifo(two, "two/xa");
		/* A descriptor that is told to be a file becomes a FIFO. */
		CHECK((fd = openat(one, path, O_RDONLY)) >= 0);
		CHECK(fstat(fd, &again) == 0 && close(fd) == 0);
		open_fifo(two, "two/xa");
	}
	/* The name leads to something else meanwhile. */
	CHECK(fstatat(one, path, &st, 0) == 0 && S_ISREG(st.st_mode));
	CHECK(unlinkat(one, "xa", 0) == 0 && mkfifoat(one, "xa", 0600) == 0);
	open_fifo(one, "one/xa");
	printf("seen\n");
	return 0;
}
