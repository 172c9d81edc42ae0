/* A vector whose pieces are more than all memory, while others run. */
#include "guest.h"
#include <pthread.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define PIECES 1024
#define RESERVED ((size_t)1 << 42)

static int p[2];

static void *
waiting(void *arg)
{
	char c;

	CHECK(write(p[1], "x", 1) == 1);
	CHECK(read(*(int *)arg, &c, 1) == 1);
	return NULL;
}

int
main(void)
{
	static struct iovec v[PIECES];
	char *all = mmap(NULL, RESERVED + 8192, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int s[2], q[2];
	pthread_t t;
	char c;

	if (all == MAP_FAILED)
		return 77;
	/* Neighbours are not to become one mapping with it: checksums leave out
	 * large ones. */
	CHECK(!mprotect(all, 4096, PROT_NONE));
	CHECK(!mprotect(all + RESERVED + 4096, 4096, PROT_NONE));
	all += 4096;
	CHECK(!pipe(p) && !pipe(q));
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	for (int i = 0; i < PIECES; i++)
		v[i] = (struct iovec){ all, RESERVED };
	CHECK(!pthread_create(&t, NULL, waiting, &q[0]));
	CHECK(read(p[0], &c, 1) == 1);
	for (int i = 0; i < 3; i++) {
		CHECK(write(s[1], "hello", 5) == 5);
		CHECK(readv(s[0], v, PIECES) == 5 && !memcmp(all, "hello", 5));
		memset(all, 0, 5);
	}
	CHECK(write(q[1], "x", 1) == 1);
	CHECK(!pthread_join(t, NULL));
	printf("read\n");
	return 0;
}
