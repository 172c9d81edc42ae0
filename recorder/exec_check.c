/*
 * Which images can be recorded, asked before their execve: afterwards the
 * caller is gone and its program cannot be told any more. What cannot be opened
 * or understood is left to the kernel.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "agent/abi.h"
#include "base/fd.h"
#include "recorder/engine.h"
#include "recorder/exec.h"
#include "recorder/files.h"

/* As the kernel: so much of a script is looked at, so often. */
#define HEAD 256u
#define MAX_SCRIPTS 5

#define TO_READ (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
#define TO_LOOK (O_PATH | O_CLOEXEC)

static int
open_in(const char *dir, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = (unsigned)flags,
		.resolve = resolve,
	};
	int dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

	if (dirfd < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	fd_close(&dirfd);
	return fd;
}

/* The file that the task means, from where it stands. As long as none has gone
 * elsewhere its root is ours. */
static int
open_for(const struct recorder *r, pid_t tid, int dirfd, const char *path,
	 int flags)
{
	static const char self[] = "/proc/self/";
	char dir[64], own[PATH_MAX];
	int fd;

	if (path[0] == '\0') {
		snprintf(own, sizeof(own), "/proc/%d/fd/%d", tid, dirfd);
		return open(own, flags);
	}
	if (strncmp(path, self, sizeof(self) - 1) == 0) {
		/* self would be pastime, and a link of /proc leads anywhere */
		snprintf(own, sizeof(own), "/proc/%d/%s", tid,
			 path + sizeof(self) - 1);
		return open(own, flags);
	}
	if (path[0] == '/' && !r->elsewhere)
		return open(path, flags);
	if (path[0] == '/') {
		snprintf(dir, sizeof(dir), "/proc/%d/root", tid);
		fd = open_in(dir, path, flags, RESOLVE_IN_ROOT);
		return fd >= 0 ? fd : open(path, flags);
	}
	if (dirfd == AT_FDCWD)
		snprintf(dir, sizeof(dir), "/proc/%d/cwd", tid);
	else
		snprintf(dir, sizeof(dir), "/proc/%d/fd/%d", tid, dirfd);
	return open_in(dir, path, flags, 0);
}

/* A program that may be executed but not read: the kernel would keep its memory
 * from us, too. */
static bool
is_unreadable(const struct recorder *r, pid_t tid, int dirfd, const char *path)
{
	int fd = open_for(r, tid, dirfd, path, TO_LOOK);
	struct stat st;
	bool yes = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		   (st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) != 0;

	fd_close(&fd);
	return yes;
}

static bool
covers_agent(int fd, const Elf64_Ehdr *eh)
{
	Elf64_Phdr ph;
	unsigned i;

	/* Others are placed by the kernel, far above. */
	if (eh->e_type != ET_EXEC || eh->e_phentsize != sizeof(ph))
		return false;
	for (i = 0; i < eh->e_phnum; i++) {
		if (fd_pread_full(fd, &ph, sizeof(ph),
				  (off_t)(eh->e_phoff + i * sizeof(ph))) !=
		    (ssize_t)sizeof(ph))
			return false;
		if (ph.p_type == PT_LOAD &&
		    ph.p_vaddr < AGENT_BASE + AGENT_SIZE &&
		    ph.p_vaddr + ph.p_memsz > AGENT_BASE)
			return true;
	}
	return false;
}

/* NULL: it can be recorded, as far as its header tells. */
static const char *
refusal(int fd, const uint8_t *head, size_t n)
{
	Elf64_Ehdr eh;

	if (n < sizeof(eh) || memcmp(head, ELFMAG, SELFMAG) != 0)
		return NULL;
	memcpy(&eh, head, sizeof(eh));
	if (head[EI_CLASS] == ELFCLASS32)
		return eh.e_machine == EM_X86_64 ? "an x32 program"
						 : "a 32-bit program";
	return eh.e_machine == EM_X86_64 && covers_agent(fd, &eh)
		       ? "a program with mappings where pastime's are"
		       : NULL;
}

/* The interpreter of a script, in place; NULL when it is none. */
static char *
interpreter(uint8_t *head, size_t n)
{
	char *p = (char *)head, *end;

	head[n] = '\0';
	if (n < 3 || p[0] != '#' || p[1] != '!')
		return NULL;
	p += 2;
	p += strspn(p, " \t");
	end = p + strcspn(p, " \t\n");
	*end = '\0';
	return *p != '\0' ? p : NULL;
}

const char *
exec_refusal(const struct recorder *r, const struct task *t, int dirfd,
	     const char *path, int *out_errno)
{
	uint8_t head[HEAD + 1];
	char script[HEAD + 1];
	const char *why = NULL;
	int i;

	for (i = 0; i < MAX_SCRIPTS && why == NULL; i++) {
		int fd = open_for(r, t->tid, dirfd, path, TO_READ);
		struct stat st;
		ssize_t n = -1;
		char *next;

		*out_errno = ENOEXEC;
		if (fd < 0 && errno == EACCES &&
		    is_unreadable(r, t->tid, dirfd, path)) {
			*out_errno = EACCES;
			why = "not readable";
		}
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
			n = fd_pread_full(fd, head, HEAD, 0);
		if (n > 0)
			why = refusal(fd, head, (size_t)n);
		fd_close(&fd);
		next = n > 0 ? interpreter(head, (size_t)n) : NULL;
		if (next == NULL)
			break;
		path = strcpy(script, next);
		dirfd = AT_FDCWD;
	}
	return why;
}

/* --- privileges that an image did not get --------------------------------- */

/* The number (base) after key in /proc/PID/status, past skip others. */
static uint64_t
status_number(const char *text, const char *key, int skip, int base)
{
	const char *p = strstr(text, key);
	char *end;
	uint64_t v;

	if (p == NULL)
		return 0;
	end = (char *)(uintptr_t)p + strlen(key);
	do
		v = strtoull(end, &end, base);
	while (skip-- > 0);
	return v;
}

static bool
lacks_caps(const char *exe, const char *status)
{
	struct vfs_cap_data caps = { 0 };
	uint64_t want;

	if (getxattr(exe, "security.capability", &caps, sizeof(caps)) < 0)
		return false;
	want = caps.data[0].permitted | (uint64_t)caps.data[1].permitted << 32;
	return (want & ~status_number(status, "\nCapPrm:", 0, 16)) != 0;
}

int
exec_privileges(struct recorder *r, const struct task *t, struct err *err)
{
	char exe[64], path[64], name[PATH_MAX];
	struct buf status = { 0 };
	const char *what = NULL, *s;
	struct statvfs fs;
	struct stat st;
	ssize_t n;
	int ret = 0;

	snprintf(exe, sizeof(exe), "/proc/%d/exe", t->tid);
	snprintf(path, sizeof(path), "/proc/%d/status", t->tid);
	if (t->proc->no_new_privs ||
	    files_is_unprivileged(r, t->proc->space->exe_file, exe) ||
	    stat(exe, &st) < 0 ||
	    ((st.st_mode & (S_ISUID | S_ISGID)) == 0 &&
	     getxattr(exe, "security.capability", NULL, 0) < 0) ||
	    statvfs(exe, &fs) < 0 || (fs.f_flag & ST_NOSUID) != 0 ||
	    fd_read_file(path, &status) < 0)
		goto out;
	s = buf_cstr(&status);
	if ((st.st_mode & S_ISUID) != 0 &&
	    status_number(s, "\nUid:", 1, 10) != st.st_uid)
		what = "set-user-id";
	else if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
		 status_number(s, "\nGid:", 1, 10) != st.st_gid)
		what = "set-group-id";
	else if (lacks_caps(exe, s))
		what = "a program with file capabilities";
	n = readlink(exe, name, sizeof(name) - 1);
	name[n > 0 ? n : 0] = '\0';
	if (what != NULL)
		ret = warn(r, t, WARN_REFUSED, t->call.sc.nr,
			   "%s is %s, but ran without its privileges: "
			   "record as root to keep them",
			   name, what);
out:
	buf_free(&status);
	return ret;
}
