/* The table against tests/data/syscalls.tsv and the kernel's headers. */
#include "event/sys.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tests/unit/event_mem.h"

Test(event_sys, every_number_that_exists_has_a_row_with_a_decision)
{
	for (int nr = 0; nr < SYS_MAX; nr++) {
		const struct sys_desc *d = sys_desc(nr);
		const bool exists = nr <= 336 || nr >= 424;

		cr_assert_eq(d->name != NULL, exists, "%d", nr);
		cr_assert_eq(d->decision != SYS_UNKNOWN, exists, "%d", nr);
		cr_assert_not_null(d->group);
		if (exists)
			cr_assert_eq(sys_by_name(d->name), nr, "%s", d->name);
	}
	cr_assert_eq(sys_desc(-1)->decision, SYS_UNKNOWN);
	cr_assert_eq(sys_desc(470)->decision, SYS_UNKNOWN);
	cr_assert_eq(sys_desc(1 << 30)->decision, SYS_UNKNOWN);
	cr_assert_str_eq(sys_name(470), "syscall_470");
	cr_assert_str_eq(sys_name(-1), "syscall_-1");
	cr_assert_eq(sys_by_name("nothing"), -1);
}

Test(event_sys, numbers_are_those_of_the_header)
{
#define SAME(name) cr_assert_str_eq(sys_name(SYS_##name), #name)
	SAME(read);
	SAME(rt_sigreturn);
	SAME(clone);
	SAME(futex);
	SAME(epoll_wait);
	SAME(openat);
	SAME(recvmmsg);
	SAME(prlimit64);
	SAME(seccomp);
	SAME(statx);
	SAME(rseq);
	SAME(pidfd_send_signal);
	SAME(clone3);
	SAME(futex_waitv);
#undef SAME
}

Test(event_sys, rows_are_consistent)
{
	for (int nr = 0; nr < SYS_MAX; nr++) {
		const struct sys_desc *d = sys_desc(nr);

		if (d->decision == SYS_REFUSE)
			cr_assert_neq(d->errno_refused, 0, "%s", d->name);
		for (unsigned i = 0; i < 6; i++) {
			const struct sys_arg *a = &d->args[i];

			cr_assert_eq(a->name != NULL, i < d->nargs, "%d", nr);
			if (i >= d->nargs)
				continue;
			cr_assert_neq(a->type, ARG_NONE, "%d", nr);
			/* A direction needs a length and the reverse. */
			cr_assert_eq(a->dir != DIR_NONE,
				     a->len_from != LEN_NONE, "%s %s", d->name,
				     a->name);
			if (a->len_arg != 0xff)
				cr_assert_lt(a->len_arg, d->nargs, "%d", nr);
			if (a->type == ARG_FLAGS || a->type == ARG_ENUM)
				cr_assert_not_null(a->flags, "%s", d->name);
		}
	}
}

/* An output of a row in the notation of the file. */
static void
render(struct buf *b, const struct sys_arg *a, unsigned i)
{
	const char *const when[] = { [WHEN_OK] = "",
				     [WHEN_POS] = "@pos",
				     [WHEN_ANY] = "@any",
				     [WHEN_INTR] = "@eintr" };
	const unsigned n = a->len_arg + 1u;

	if (b->len)
		buf_str(b, ";");
	if (a->len_from != LEN_IOV && a->len_from != LEN_MSGHDR &&
	    a->len_from != LEN_MMSG)
		buf_printf(b, "a%u=", i + 1);
	switch ((enum len_from)a->len_from) {
	case LEN_CONST:
		buf_printf(b, "%u", a->len_k);
		break;
	case LEN_ARG:
		buf_printf(b, a->len_k == 1 ? "a%u" : "a%u*%u", n, a->len_k);
		break;
	case LEN_RET:
		buf_printf(b, a->len_k == 1 ? "ret" : "ret*%u", a->len_k);
		break;
	case LEN_RET_PLUS:
		buf_printf(b, "ret+%u", a->len_k);
		break;
	case LEN_PTR_ARG:
		buf_printf(b, "vr32(a%u)", n);
		break;
	case LEN_IOV:
		buf_printf(b, "iov(a%u,a%u)=ret", i + 1, n);
		break;
	case LEN_MSGHDR:
		buf_printf(b, "msghdr(a%u)", i + 1);
		break;
	case LEN_MMSG:
		buf_printf(b, "%s(a%u,ret)",
			   a->dir == DIR_OUT ? "mmsg" : "mmsglen", i + 1);
		break;
	case LEN_FDSET:
		buf_printf(b, "fdset(a%u)", n);
		break;
	case LEN_PAGES:
		buf_printf(b, "pages(a%u)", n);
		break;
	case LEN_BITS:
		buf_printf(b, "bits(a%u)", n);
		break;
	case LEN_CUSTOM:
		buf_str(b, "custom");
		return;
	case LEN_NONE:
	case LEN_STR:
		buf_str(b, "?");
		break;
	}
	buf_str(b, when[a->when]);
}

/* The file's notation without what a row expresses otherwise: min() and the
 * size argument that must not be 0 are the cap of LEN_RET. */
static void
normalise(char *s)
{
	static const char *const drop[] = { "@ok",   "+a1>0", "+a3>0", "+a4>0",
					    "+a5>0", "min(",  ",a3)",  NULL };
	char *p;

	for (size_t i = 0; drop[i]; i++)
		while ((p = strstr(s, drop[i])) && strncmp(s, "iov", 3) != 0)
			memmove(p, p + strlen(drop[i]),
				strlen(p + strlen(drop[i])) + 1);
	if (strncmp(s, "iov", 3) == 0 && (p = strstr(s, "@ok")))
		*p = '\0';
}

/* Where the table says it in another way, and why. */
static const struct {
	const char *name;
	const char *row;
} other[] = {
	{ "mmap", "" },
	{ "rt_sigprocmask", "a3=a4" },
	{ "ioctl", "a3=custom" },
	{ "shmctl", "a3=custom" },
	{ "semctl", "a4=custom" },
	{ "msgctl", "a3=custom" },
	{ "fcntl", "a3=custom" },
	{ "getsockopt", "a4=vr32(a5);a5=4" },
	{ "clone", "a3=custom" },	    /* two flags, one pointer */
	{ "ptrace", "" },		    /* refused */
	{ "capget", "a1=8@any;a2=custom" }, /* by version */
	{ "sysfs", "a3=custom" },	    /* a string of its own length */
	{ "modify_ldt", "" },		    /* refused */
	{ "prctl", "a2=custom;a3=custom;a5=custom" },
	{ "arch_prctl", "a2=custom" },
	{ "quotactl", "a4=custom" },
	{ "quotactl_fd", "a4=custom" },
	{ "futex", "a1=custom;a5=custom" },
	{ "restart_syscall", "" },	   /* the interrupted call's */
	{ "waitid", "a3=128@any;a5=144" }, /* more than needed at times */
	{ "keyctl", "a2=custom;a3=custom;a5=custom" },
	{ "vmsplice", "iov(a2,a3)=ret" }, /* both directions */
	{ "name_to_handle_at", "a3=custom;a4=4@any" },
	{ "process_vm_readv", "iov(a2,a3)=ret@any" }, /* any: all of it */
	{ "process_vm_writev", "" },		      /* into another task */
	{ "sched_setattr", "a2=custom" },
	{ "seccomp", "a3=custom" },
	{ "bpf", "" },		   /* refused */
	{ "clone3", "a1=custom" }, /* refused */
	{ "getxattrat", "a5=custom" },
};

static const char *
other_row(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		if (strcmp(other[i].name, name) == 0)
			return other[i].row;
	return NULL;
}

static void
check_class(const struct sys_desc *d, const char *class)
{
	if (strcmp(class, "DEAD") == 0)
		cr_assert(d->decision == SYS_EMULATE &&
				  d->errno_refused == ENOSYS,
			  "%s", d->name);
	if (strcmp(class, "REFUSE") == 0)
		cr_assert_eq(d->decision, SYS_REFUSE, "%s", d->name);
	if (strncmp(class, "EXEC", 4) == 0)
		cr_assert_neq(d->replay, SYS_DATA, "%s", d->name);
	if (strncmp(class, "PURE", 4) == 0 || strncmp(class, "OUT", 3) == 0)
		cr_assert(d->replay == SYS_DATA && d->decision != SYS_REFUSE,
			  "%s", d->name);
	if (strstr(class, "FD") && d->decision == SYS_RUN)
		cr_assert(d->flags & SYSF_FD, "%s", d->name);
	if (strstr(class, "SIG"))
		cr_assert(d->flags & SYSF_SIG, "%s", d->name);
}

Test(event_sys, rows_agree_with_the_checked_facts)
{
	FILE *f = test_data("syscalls.tsv");
	char line[512], name[64], class[32], outputs[256], blocking[16];
	struct buf b = { 0 };
	int nr, n = 0;

	cr_assert_not_null(f);
	cr_assert_not_null(fgets(line, sizeof(line), f));
	while (fgets(line, sizeof(line), f)) {
		const struct sys_desc *d;
		const char *want;

		cr_assert_eq(sscanf(line, "%d\t%63s\t%31s\t%255s\t%15s", &nr,
				    name, class, outputs, blocking),
			     5);
		d = sys_desc(nr);
		cr_assert_str_eq(d->name, name);
		cr_assert_eq(d->blocking,
			     strcmp(blocking, "no") == 0    ? SYS_NEVER
			     : strcmp(blocking, "yes") == 0 ? SYS_ALWAYS
							    : SYS_MAYBE,
			     "%s", name);
		check_class(d, class);
		buf_clear(&b);
		for (unsigned i = 0; i < d->nargs; i++)
			if (d->args[i].dir & DIR_OUT)
				render(&b, &d->args[i], i);
		normalise(outputs);
		want = other_row(name);
		if (!want && !(d->decision == SYS_EMULATE && d->errno_refused &&
			       b.len == 0))
			want = strcmp(outputs, "-") == 0 ? "" : outputs;
		if (want)
			cr_assert_str_eq(buf_cstr(&b), want,
					 "%s: \"%s\" \"%s\"", name,
					 buf_cstr(&b), want);
		n++;
	}
	cr_assert_eq(n, 383);
	buf_free(&b);
	fclose(f);
}

/* Every sub-operation of the file, as a call: it has our name and writes what
 * the file says. */
Test(event_sys, sub_operations_agree_with_the_checked_facts)
{
	FILE *f = test_data("subops.tsv");
	char line[512], call[32], name[64], value[32], outputs[64],
		blocking[16];
	static struct fake fake;
	int n = 0;

	cr_assert_not_null(f);
	cr_assert_not_null(fgets(line, sizeof(line), f));
	while (fgets(line, sizeof(line), f)) {
		uint64_t a[6] = { MEM_BASE + 0x4000, MEM_BASE,
				  MEM_BASE + 0x1000, MEM_BASE + 0x2000,
				  MEM_BASE + 0x3000, 0 };
		unsigned at, size;
		uint64_t op;
		int nr, refused = 0;

		cr_assert_eq(sscanf(line,
				    "%31[^\t]\t%63[^\t]\t%31[^\t]\t"
				    "%63[^\t]\t%15s",
				    call, name, value, outputs, blocking),
			     5, "%s", line);
		op = strtoull(value, NULL, 0);
		nr = sys_by_name(call);
		if (nr == SYS_semctl || nr == SYS_madvise)
			a[2] = op;
		else if (nr == SYS_ioctl || nr == SYS_fcntl ||
			 nr == SYS_futex || nr == SYS_shmctl ||
			 nr == SYS_msgctl)
			a[1] = op;
		else
			a[0] = op;
		fake_enter(&fake, nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		n++;
		if (nr == SYS_ptrace)
			continue; /* refused as a whole */
		if (strcmp(outputs, "REFUSE") == 0) {
			cr_assert(sys_subop_refused(&fake.call, &refused), "%s",
				  name);
			cr_assert_gt(refused, 0);
			continue;
		}
		if (sys_subop_refused(&fake.call, &refused)) {
			/* Refused on purpose; the file tells in its notes. */
			cr_assert(strstr("PR_SET_SYSCALL_USER_DISPATCH "
					 "ARCH_REQ_XCOMP_PERM MADV_FREE "
					 "MADV_HWPOISON USBDEVFS_REAPURB "
					 "SECCOMP_SET_MODE_STRICT",
					 name),
				  "%s is refused", name);
			continue;
		}
		if (sscanf(outputs, "a%u=%u", &at, &size) == 2 &&
		    nr != SYS_prctl) {
			cr_assert_eq(fake_outputs(&fake, 0, false), 1, "%s",
				     name);
			cr_assert(fake_has(&fake, a[at - 1], size), "%s", name);
			cr_assert_eq(fake_outputs(&fake, -EINVAL, false),
				     strstr(outputs, "@any") ? 1 : 0, "%s",
				     name);
		} else if (strcmp(outputs, "-") == 0) {
			cr_assert_eq(fake_outputs(&fake, 0, false), 0, "%s",
				     name);
		}
		if (!sys_subop_name(&fake.call))
			continue; /* by its direction bits: may wait */
		if (strcmp(blocking, "no") == 0)
			cr_assert(sys_call_never_blocks(&fake.call), "%s",
				  name);
		if (strcmp(blocking, "yes") == 0)
			cr_assert_not(sys_call_never_blocks(&fake.call), "%s",
				      name);
		arena_clear(&fake.arena);
	}
	cr_assert_eq(n, 373);
	arena_free(&fake.arena);
	fclose(f);
}

Test(event_sys, sub_operations_have_names)
{
	static struct fake f;

	fake_enter(&f, SYS_ioctl, 0, 0x5401, 0, 0, 0, 0);
	cr_assert_str_eq(sys_subop_name(&f.call), "TCGETS");
	fake_enter(&f, SYS_futex, 0, 0x189, 0, 0, 0, 0);
	cr_assert_str_eq(sys_subop_name(&f.call), "FUTEX_WAIT_BITSET");
	fake_enter(&f, SYS_quotactl, 0x80000700, 0, 0, 0, 0, 0);
	cr_assert_str_eq(sys_subop_name(&f.call), "Q_GETQUOTA");
	fake_enter(&f, SYS_ptrace, 16, 0, 0, 0, 0, 0);
	cr_assert_str_eq(sys_subop_name(&f.call), "PTRACE_ATTACH");
	fake_enter(&f, SYS_read, 0, 0, 0, 0, 0, 0);
	cr_assert_null(sys_subop_name(&f.call));
	arena_free(&f.arena);
}

Test(event_sys, an_unknown_ioctl_is_believed_its_direction_bits_or_refused)
{
	static struct fake f;
	int e = 0;

	/* _IOR('z', 1, 24 bytes) */
	fake_enter(&f, SYS_ioctl, 3, 0x80187a01, MEM_BASE, 0, 0, 0);
	cr_assert_not(sys_subop_refused(&f.call, &e));
	cr_assert_eq(fake_outputs(&f, 0, false), 1);
	cr_assert(fake_has(&f, MEM_BASE, 24));
	cr_assert_eq(fake_outputs(&f, -ENOTTY, false), 0);
	/* _IOW('z', 1, 24 bytes), and a tty request nobody knows */
	fake_enter(&f, SYS_ioctl, 3, 0x40187a01, MEM_BASE, 0, 0, 0);
	cr_assert(sys_subop_refused(&f.call, &e));
	cr_assert_eq(e, ENOTTY);
	fake_enter(&f, SYS_ioctl, 3, 0x800454ff, MEM_BASE, 0, 0, 0);
	cr_assert(sys_subop_refused(&f.call, &e));
	/* _IOW of a family whose bits are right */
	fake_enter(&f, SYS_ioctl, 3, 0x40187a01 - 0x7a00 + 0x9400, MEM_BASE, 0,
		   0, 0);
	cr_assert_not(sys_subop_refused(&f.call, &e));
	cr_assert_eq(fake_outputs(&f, 0, false), 0);
	/* DRM, KVM, userfaultfd, USB */
	fake_enter(&f, SYS_ioctl, 3, 0xc0406400, MEM_BASE, 0, 0, 0);
	cr_assert(sys_subop_refused(&f.call, &e));
	fake_enter(&f, SYS_ioctl, 3, 0x8004ae00, MEM_BASE, 0, 0, 0);
	cr_assert(sys_subop_refused(&f.call, &e));
	arena_free(&f.arena);
}

Test(event_sys, unknown_operations_of_other_calls_are_refused)
{
	static struct fake f;
	int e = 0;

	fake_enter(&f, SYS_prctl, 9999, 0, 0, 0, 0, 0);
	cr_assert(sys_subop_refused(&f.call, &e));
	cr_assert_eq(e, EINVAL);
	fake_enter(&f, SYS_futex, 0, 99, 0, 0, 0, 0);
	cr_assert(sys_subop_refused(&f.call, &e));
	cr_assert_eq(e, ENOSYS);
	fake_enter(&f, SYS_read, 0, 99, 0, 0, 0, 0);
	cr_assert_not(sys_subop_refused(&f.call, &e));
	arena_free(&f.arena);
}
