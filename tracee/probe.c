#include "tracee/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "tracee/maps.h"

#define ARCH_SET_CPUID 0x1012
#define PAGE 4096u

/* Linux 6.7, newer than the headers that we build with. */
struct pm_scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask;
	uint64_t return_mask;
};

#define PAGEMAP_SCAN_OP _IOWR('f', 16, struct pm_scan_arg)

/* clang-format off */
static const struct probe_result features[PROBE_COUNT] = {
	[PROBE_PTRACE] = { "ptrace", .needed = true,
		.text = "tracing a process",
		.remedy = "set /proc/sys/kernel/yama/ptrace_scope to 1 or 0; in a "
			  "container: --cap-add SYS_PTRACE" },
	[PROBE_SECCOMP] = { "seccomp", .needed = true,
		.text = "seccomp filters that stop at the tracer",
		.remedy = "a kernel with CONFIG_SECCOMP_FILTER" },
	[PROBE_SYSCALL_INFO] = { "syscall_info", .needed = true,
		.text = "telling the entry of a call from its exit",
		.remedy = "Linux 5.3 or later" },
	[PROBE_TSC] = { "tsc", .needed = true,
		.text = "trapping RDTSC",
		.remedy = "a kernel whose prctl knows PR_SET_TSC" },
	[PROBE_CPUID] = { "cpuid", .needed = false,
		.text = "trapping CPUID; else it is patched in programs' code",
		.remedy = "" },
	[PROBE_FORCED_WRITE] = { "forced_write", .needed = false,
		.text = "fast writes to read-only pages; else PTRACE_POKEDATA",
		.remedy = "boot without proc_mem.force_override=never" },
	[PROBE_MAP_FILES] = { "map_files", .needed = false,
		.text = "opening mapped files that have no name any more",
		.remedy = "CAP_CHECKPOINT_RESTORE" },
	[PROBE_MAP_QUERY] = { "map_query", .needed = false,
		.text = "fast lookup of one mapping",
		.remedy = "Linux 6.11 or later" },
	[PROBE_PAGEMAP_SCAN] = { "pagemap_scan", .needed = false,
		.text = "finding pages that were written",
		.remedy = "Linux 6.7 or later" },
	[PROBE_PRIVILEGED_FILTER] = { "privileged_filter", .needed = false,
		.text = "set-user-id programs keep their privileges",
		.remedy = "CAP_SYS_ADMIN" },
};
/* clang-format on */

bool
probe_denied_name(const char *name)
{
	const char *p = getenv("PASTIME_PROBE");
	size_t n = strlen(name);

	while (p != NULL && (p = strchr(p, '-')) != NULL) {
		p++;
		if (strncmp(p, name, n) == 0 &&
		    (p[n] == '\0' || strchr(" ,", p[n]) != NULL))
			return true;
	}
	return false;
}

bool
probe_denied(enum probe which)
{
	return probe_denied_name(features[which].name);
}

/* Run fn in a child; it says what it found by its exit status: 0 = works,
 * else an errno. */
static int
in_child(int (*fn)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (pid == 0)
		_exit(fn());
	while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

/* A child that waits to be killed; fn tries something on it. */
static int
on_child(int (*fn)(pid_t pid))
{
	pid_t pid = fork();
	int ret;

	if (pid < 0)
		return errno;
	if (pid == 0)
		for (;;)
			pause();
	ret = fn(pid);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		continue;
	return ret;
}

static int
seize(pid_t pid)
{
	return ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL) < 0 ? errno : 0;
}

/* Yama 1 permits it for a child; the command, which is none of the tracer's,
 * names its tracer (spawn.c), which is permitted wherever this is. */
static int
try_ptrace(void)
{
	return on_child(seize);
}

/* A filter that lets everything pass: installing it is what is tried. */
static int
install(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog prog = { .len = 1, .filter = &allow };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0
		       ? errno
		       : 0;
}

static int
try_filter(void)
{
	uint32_t action = SECCOMP_RET_TRACE;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return errno;
	return install();
}

static int
try_privileged_filter(void)
{
	/* Inherited and for ever; then nothing here has privileges. */
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0)
		return EPERM;
	return install();
}

static int
syscall_info(pid_t pid)
{
	struct __ptrace_syscall_info info;
	int ret = seize(pid);

	if (ret != 0)
		return ret;
	if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0 ||
	    waitpid(pid, NULL, __WALL) != pid)
		return errno;
	return ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0
		       ? errno
		       : 0;
}

static int
try_syscall_info(void)
{
	return on_child(syscall_info);
}

static int
try_tsc(void)
{
	return prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) < 0 ? errno : 0;
}

static int
try_cpuid(void)
{
	/* Off and on again, without a CPUID in between. */
	if (syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0) < 0)
		return errno;
	return syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1) < 0 ? errno : 0;
}

static int
try_forced_write(void)
{
	void *page =
		mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	int ret = 0;

	if (page == MAP_FAILED || fd < 0 ||
	    pwrite(fd, "x", 1, (off_t)(uintptr_t)page) != 1)
		ret = errno;
	if (page != MAP_FAILED)
		munmap(page, PAGE);
	fd_close(&fd);
	return ret;
}

/* The mapping of our own code. */
static int
own_mapping(struct vma *out)
{
	struct arena a = { 0 };
	struct maps m;
	const struct vma *v;
	int ret = maps_read(getpid(), &a, &m, NULL);

	if (ret == 0) {
		v = maps_find(&m, (uint64_t)(uintptr_t)&own_mapping);
		if (v != NULL)
			*out = *v;
		else
			ret = -ENOENT;
	}
	arena_free(&a);
	return -ret;
}

static int
try_map_files(void)
{
	struct vma v;
	char path[96];
	int fd, ret = own_mapping(&v);

	if (ret != 0)
		return ret;
	snprintf(path, sizeof(path), "/proc/self/map_files/%llx-%llx",
		 (unsigned long long)v.start, (unsigned long long)v.end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	fd_close(&fd);
	return 0;
}

static int
try_map_query(void)
{
	return maps_can_query() ? 0 : ENOTTY;
}

static int
try_pagemap_scan(void)
{
	struct pm_scan_arg arg = { .size = sizeof(arg) };
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int ret = 0;

	arg.start = (uint64_t)(uintptr_t)&arg & ~(uint64_t)(PAGE - 1);
	arg.end = arg.start + PAGE;
	if (fd < 0 || ioctl(fd, PAGEMAP_SCAN_OP, &arg) < 0)
		ret = errno;
	fd_close(&fd);
	return ret;
}

static int
try(enum probe p)
{
	switch (p) {
	case PROBE_PTRACE:
		return try_ptrace();
	case PROBE_SECCOMP:
		return in_child(try_filter);
	case PROBE_SYSCALL_INFO:
		return try_syscall_info();
	case PROBE_TSC:
		return in_child(try_tsc);
	case PROBE_CPUID:
		return try_cpuid();
	case PROBE_FORCED_WRITE:
		return try_forced_write();
	case PROBE_MAP_FILES:
		return try_map_files();
	case PROBE_MAP_QUERY:
		return try_map_query();
	case PROBE_PAGEMAP_SCAN:
		return try_pagemap_scan();
	case PROBE_PRIVILEGED_FILTER:
		return in_child(try_privileged_filter);
	case PROBE_COUNT:
		break;
	}
	return EINVAL;
}

bool
probe_ok(enum probe p)
{
	return !probe_denied(p) && try(p) == 0;
}

/* What Yama says, beside what was tried. */
static void
add_yama(struct probe_result *r)
{
	struct buf text = { 0 };
	size_t n = strlen(r->found);

	if (fd_read_file("/proc/sys/kernel/yama/ptrace_scope", &text) == 0 &&
	    text.len > 0)
		snprintf(r->found + n, sizeof(r->found) - n,
			 " (Yama ptrace_scope %c)", text.p[0]);
	buf_free(&text);
}

void
probe_all(struct probe_result out[PROBE_COUNT])
{
	unsigned i;

	for (i = 0; i < PROBE_COUNT; i++) {
		bool denied = probe_denied((enum probe)i);
		int code = try((enum probe)i);

		out[i] = features[i];
		out[i].ok = code == 0 && !denied;
		snprintf(out[i].found, sizeof(out[i].found), "%s",
			 denied	     ? "switched off by PASTIME_PROBE"
			 : code == 0 ? "works"
				     : strerror(code));
	}
	add_yama(&out[PROBE_PTRACE]);
}
