#include "store/pq.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>

/* The interface that libpq-fe.h describes has had this number since 2005. */
#define LIBRARY "libpq.so.5"

struct pq pq;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct err failure;

static void *
find(void *lib, const char *name)
{
	void *p = dlsym(lib, name);

	if (!p && failure.code == 0)
		err_set(&failure, E_DB, LIBRARY " lacks %s", name);
	return p;
}

static void
load(void)
{
	void *lib = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!lib) {
		err_set(&failure, E_DB, "cannot load PostgreSQL's client: %s",
			dlerror());
		err_hint(&failure, "Debian: apt install libpq5; "
				   "Fedora: dnf install libpq");
		return;
	}
#define PQ(name) pq.name = (__typeof__(name) *)find(lib, #name);
#include "store/pq.def"
#undef PQ
}

int
pq_load(struct err *err)
{
	pthread_once(&once, load);
	if (failure.code < 0 && err)
		*err = failure;
	return failure.code;
}
