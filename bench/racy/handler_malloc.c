/* A signal handler that uses an allocator which it may have interrupted. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* malloc behind a cache of free blocks, as programs write them. */
struct block {
	struct block *next;
	volatile int used;
	char bytes[32];
};

static struct block *volatile cache;
static volatile int wrong;

static struct block *
get(void)
{
	struct block *b = cache;

	if (b)
		cache = b->next;
	else
		b = calloc(1, sizeof(*b));
	if (b->used)
		wrong = 1;
	b->used = 1;
	return b;
}

static void
put(struct block *b)
{
	b->used = 0;
	b->next = cache;
	cache = b;
}

static void
on_signal(int sig)
{
	struct block *b = get();

	memset(b->bytes, sig, sizeof(b->bytes));
	/* kept: whoever was interrupted in get() has the same one */
}

int
main(void)
{
	pid_t me = getpid(), pid;

	signal(SIGUSR1, on_signal);
	for (int i = 0; i < 4; i++)
		put(calloc(1, sizeof(struct block)));
	pid = fork();
	if (!pid) {
		kill(me, SIGUSR1);
		_exit(0);
	}
	for (int i = 0; i < 200 && !wrong; i++) {
		struct block *b = get();

		memset(b->bytes, i, sizeof(b->bytes));
		put(b);
	}
	waitpid(pid, NULL, 0);
	puts(wrong ? "one block given out twice" : "fine");
	return wrong;
}
