#include "base/fault.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct point {
	uint64_t nth; /* 0 = never */
	bool onward;  /* and every later one */
	_Atomic uint64_t passed;
};

static const char *const names[] = {
/* clang-format off */
#define FAULT(name, what) #name,
#include "base/fault.def"
#undef FAULT
	/* clang-format on */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct point points[FAULT_COUNT];

static size_t
find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i], name) == 0)
			return i;
	}
	die("PASTIME_FAULT: there is no fault point '%s'", name);
}

static void
arm(char *word)
{
	char *colon = strchr(word, ':');
	unsigned long long nth = 1;
	struct point *p;
	char *end = NULL;

	if (colon) {
		*colon = '\0';
		nth = strtoull(colon + 1, &end, 10);
		if (nth == 0 || end == colon + 1 ||
		    strcmp(end, *end == '+' ? "+" : "") != 0)
			die("PASTIME_FAULT: %s: '%s' is not N or N+", word,
			    colon + 1);
	}
	p = &points[find(word)];
	p->nth = nth;
	p->onward = end && *end == '+';
}

static void
init(void)
{
	const char *spec = getenv("PASTIME_FAULT");
	char *copy, *word, *save;

	if (!spec)
		return;
	copy = mem_strdup(spec);
	for (word = strtok_r(copy, ",", &save); word;
	     word = strtok_r(NULL, ",", &save))
		arm(word);
	mem_free(copy);
}

bool
fault_hit(enum fault f)
{
	struct point *p = &points[f];
	uint64_t n;

	pthread_once(&once, init);
	if (p->nth == 0)
		return false;
	n = atomic_fetch_add(&p->passed, 1) + 1;
	return n == p->nth || (p->onward && n > p->nth);
}
