/* named [LIBRARY]: two threads empty eight accounts; both may get what is in
 * one. With a library its settle() is called, without symbols for debuggers.
 * The lines that the test names are marked. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

#define ACCOUNTS 8
#define MONEY 100

#ifdef LIBRARY

void settle(volatile int *account);

void
settle(volatile int *account)
{
	*account = 0;
}

#else

static volatile int account[ACCOUNTS];
static int taken[2];
static void (*settle)(volatile int *account);

static void
settle_here(volatile int *a)
{
	*a = 0; /* HERE */
}

/* Nobody calls it. */
void
never(void)
{
	puts("never");
}

static void *
withdraw(void *arg)
{
	int *mine = arg;

	for (int i = 0; i < ACCOUNTS; i++) {
		int all = account[i];

		settle(&account[i]);
		*mine += all;
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	void *symbol = library ? dlsym(library, "settle") : NULL;
	pthread_t t[2];

	settle = settle_here;
	if (argc > 1)
		*(void **)&settle = symbol;
	if (!settle)
		return 2;
	for (int i = 0; i < ACCOUNTS; i++)
		account[i] = MONEY;
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, withdraw, &taken[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	printf("%d of %d\n", taken[0] + taken[1], ACCOUNTS * MONEY);
	return taken[0] + taken[1] != ACCOUNTS * MONEY;
}

#endif
