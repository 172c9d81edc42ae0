/* Robust mutexes whose owners die, in threads and across processes. */
#include "guest.h"
#include <pthread.h>

static void *
die_holding(void *m)
{
	CHECK(!pthread_mutex_lock(m));
	return NULL;
}

static void
init(pthread_mutex_t *m, int shared)
{
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&a, shared);
	CHECK(!pthread_mutex_init(m, &a));
}

int
main(void)
{
	pthread_mutex_t local, *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_t t;
	pid_t pid;

	init(&local, PTHREAD_PROCESS_PRIVATE);
	CHECK(!pthread_create(&t, NULL, die_holding, &local) && !pthread_join(t, NULL));
	CHECK(pthread_mutex_lock(&local) == EOWNERDEAD);
	CHECK(!pthread_mutex_consistent(&local) && !pthread_mutex_unlock(&local));
	CHECK(shared != MAP_FAILED);
	init(shared, PTHREAD_PROCESS_SHARED);
	pid = fork();
	if (!pid) {
		pthread_mutex_lock(shared);
		_exit(0);
	}
	CHECK(reap(pid) == 0 && pthread_mutex_lock(shared) == EOWNERDEAD);
	CHECK(!pthread_mutex_consistent(shared) && !pthread_mutex_unlock(shared));
	printf("owner death seen twice\n");
	return 0;
}
