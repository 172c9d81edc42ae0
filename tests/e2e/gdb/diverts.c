/* Functions that a debugger may want to call, and what they leave behind. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int counter = 10;
static char name[] = "recorded";
static char *heap;

int
add(int n)
{
	counter += n;
	return counter;
}

double
scale(double x, float y)
{
	return x * y + counter;
}

int
say(const char *text)
{
	return (int)write(1, text, strlen(text));
}

int
crash(int *p)
{
	return *p;
}

int
take_lock(void)
{
	return pthread_mutex_lock(&lock);
}

/* Everything that would reach outside of the copy: 0 = nothing did. */
int
outside(void)
{
	int n = 0;

	n += unlink("mark") == 0;
	n += open("made", O_CREAT | O_WRONLY, 0600) >= 0;
	n += fork() >= 0;
	return n;
}

char *
grow(size_t n)
{
	char *p = malloc(n);

	if (p)
		memset(p, 'x', n);
	return p;
}

void
leave(void)
{
	_exit(3);
}

static void *
holder(void *arg)
{
	pthread_mutex_lock(&lock);
	write(*(int *)arg, "x", 1);
	pause();
	return NULL;
}

void
here(void)
{
	heap = strdup("on the heap");
}

int
main(void)
{
	pthread_t t;
	int pipes[2];
	char c;

	if (pipe(pipes) < 0 || pthread_create(&t, NULL, holder, &pipes[1]) != 0)
		return 1;
	read(pipes[0], &c, 1);
	here();
	add(1);
	printf("%d %s %s\n", counter, name, heap);
	fflush(stdout);
	_exit(0);
}
