#ifndef TRACEE_PROBE_H
#define TRACEE_PROBE_H

/*
 * What this host can do, found out by doing it. PASTIME_PROBE="-name -name"
 * in the environment says that a feature is not there, so that one machine can
 * test what others lack.
 */
#include <stdbool.h>
#include <stddef.h>

enum probe {
	PROBE_PTRACE,	       /* tracing a process that is not our child */
	PROBE_SECCOMP,	       /* stops at calls chosen by a filter */
	PROBE_SYSCALL_INFO,    /* PTRACE_GET_SYSCALL_INFO */
	PROBE_TSC,	       /* RDTSC can be made to trap */
	PROBE_CPUID,	       /* CPUID can be made to trap */
	PROBE_FORCED_WRITE,    /* /proc/PID/mem writes to read-only pages */
	PROBE_MAP_FILES,       /* /proc/PID/map_files can be opened */
	PROBE_MAP_QUERY,       /* PROCMAP_QUERY */
	PROBE_PAGEMAP_SCAN,    /* PAGEMAP_SCAN */
	PROBE_PRIVILEGED_FILTER, /* filters without no_new_privs */
	PROBE_COUNT
};

struct probe_result {
	const char *name;
	bool ok;
	bool needed;	  /* nothing can be recorded without it */
	const char *text; /* what it is for */
	char found[160];  /* what was found */
	const char *remedy; /* what to do when it is not ok, "" = nothing */
};

/* One feature, cheaply. */
bool probe_ok(enum probe p);
/* Only what the environment says, for code that tries and falls back. */
bool probe_denied(enum probe p);
/* The same for a name that is not one of enum probe: a CPU feature. */
bool probe_denied_name(const char *name);
/* All of them; forks children to try them on. */
void probe_all(struct probe_result out[PROBE_COUNT]);

#endif
