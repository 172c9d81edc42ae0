#include "cli/nested.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/abi.h"

/* The agent's page is in every recorded and every replayed space. */
static bool
has_agent(void)
{
	unsigned char resident;

	return mincore((void *)AGENT_BASE, AGENT_SIZE, &resident) == 0;
}

static int
tracer_pid(void)
{
	char line[128];
	int pid = 0;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "TracerPid: %d", &pid) == 1)
			break;
	}
	if (f)
		fclose(f);
	return pid;
}

/* True when the tracer is the program that we are. */
static bool
traced_by_pastime(void)
{
	char path[64], self[4096], its[4096];
	int pid = tracer_pid();
	ssize_t n, m;

	if (pid == 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink("/proc/self/exe", self, sizeof(self));
	m = readlink(path, its, sizeof(its));
	return n > 0 && n == m && memcmp(self, its, (size_t)n) == 0;
}

int
nested_check(struct err *err)
{
	int ret;

	if (!has_agent() && !traced_by_pastime())
		return 0;
	ret = err_set(err, E_NESTED,
		      "this process is being recorded by "
		      "another pastime, which cannot record itself");
	err_hint(err, "run it outside of the recorded command, or leave "
		      "'pastime' out: the children are recorded anyway");
	return ret;
}
