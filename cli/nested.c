#include "cli/nested.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/abi.h"
#include "tracee/probe.h"

/* The agent's page is in every recorded and every replayed space. */
static bool
has_agent(void)
{
	unsigned char resident[AGENT_SIZE / 4096];

	return mincore((void *)AGENT_BASE, AGENT_SIZE, resident) == 0;
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

static const char *
first_line(const char *path, char *line, int size)
{
	FILE *f = fopen(path, "re");

	line[0] = '\0';
	if (f && fgets(line, size, f))
		line[strcspn(line, "\n")] = '\0';
	if (f)
		fclose(f);
	return line;
}

/* A host that says it cannot (PASTIME_PROBE) is believed. */
static int
check_probe(struct err *err)
{
	if (!getenv("PASTIME_PROBE") ||
	    (probe_ok(PROBE_PTRACE) && probe_ok(PROBE_SECCOMP)))
		return 0;
	return err_set(err, E_PTRACE_DENIED, "cannot trace here");
}

void
nested_explain_denied(struct err *err)
{
	char path[64], line[64];
	int pid = tracer_pid();

	if (pid != 0) {
		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		err_set(err, E_PTRACE_DENIED,
			"cannot trace: process %d (%s) traces this one, and a "
			"process has one tracer only",
			pid, first_line(path, line, sizeof(line)));
		err_hint(err, "run pastime outside of it");
		return;
	}
	first_line("/proc/sys/kernel/yama/ptrace_scope", line, sizeof(line));
	if (atoi(line) >= 2) {
		err_set(err, E_PTRACE_DENIED,
			"cannot trace: ptrace is forbidden here "
			"(kernel.yama.ptrace_scope = %s)",
			line);
		err_hint(err, "pastime needs ptrace_scope 0, 1, or 2 with "
			      "CAP_SYS_PTRACE.\n"
			      "As root: sysctl kernel.yama.ptrace_scope=1");
		return;
	}
	err_set(err, E_PTRACE_DENIED,
		"cannot trace: ptrace or seccomp is forbidden here");
	err_hint(err, "in a container: docker run --cap-add SYS_PTRACE ...\n"
		      "pastime doctor");
}

int
nested_check(struct err *err)
{
	int ret;

	if (!has_agent() && !traced_by_pastime())
		return check_probe(err);
	ret = err_set(err, E_NESTED,
		      "this process is being recorded by "
		      "another pastime, which cannot record itself");
	err_hint(err, "run it outside of the recorded command, or leave "
		      "'pastime' out: the children are recorded anyway");
	return ret;
}
