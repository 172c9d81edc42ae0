/*
 * tabledump sql | man: THE table as text for what is not C. "sql" prints the
 * rows of pastime.syscall, "man" the manual page pastime-syscalls(7).
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "event/format.h"
#include "event/sys.h"

static const char *
decision_name(unsigned decision)
{
	switch ((enum sys_decision)decision) {
	case SYS_RUN:
		return "run";
	case SYS_REFUSE:
		return "refuse";
	case SYS_EMULATE:
		return "emulate";
	case SYS_SPECIAL:
		return "special";
	case SYS_UNKNOWN:
		break;
	}
	return "unknown";
}

static void
sql(void)
{
	bool first = true;

	printf("-- Printed by tools/tabledump from event/sys_x86_64.c.\n"
	       "truncate pastime.syscall;\n"
	       "insert into pastime.syscall "
	       "(call, name, category, args, decision) values\n");
	for (int nr = 0; nr < SYS_MAX; nr++) {
		const struct sys_desc *d = sys_desc(nr);

		if (!d->name)
			continue;
		printf("%s(%d, '%s', '%s', '{", first ? "" : ",\n", nr, d->name,
		       d->group);
		first = false;
		for (unsigned i = 0; i < d->nargs; i++)
			printf("%s\"%s\"", i ? "," : "", d->args[i].name);
		printf("}', '%s')", decision_name(d->decision));
	}
	printf(";\n");
}

static bool
is_refused(const struct sys_desc *d)
{
	return d->decision == SYS_REFUSE;
}

static bool
is_quiet(const struct sys_desc *d)
{
	return d->decision == SYS_EMULATE && d->errno_refused;
}

static bool
is_answered(const struct sys_desc *d)
{
	return d->decision == SYS_EMULATE && !d->errno_refused;
}

static bool
is_repeated(const struct sys_desc *d)
{
	return (d->replay == SYS_MEMORY || d->replay == SYS_TASK ||
		d->replay == SYS_TLS) &&
	       d->decision == SYS_SPECIAL;
}

static bool
is_run(const struct sys_desc *d)
{
	return (d->decision == SYS_RUN || d->decision == SYS_SPECIAL) &&
	       !is_repeated(d);
}

/* The names that a section lists, with what they are answered. */
static void
list(bool (*in)(const struct sys_desc *), bool with_errno)
{
	bool first = true;

	for (int nr = 0; nr < SYS_MAX; nr++) {
		const struct sys_desc *d = sys_desc(nr);

		if (!d->name || !in(d))
			continue;
		printf("%s%s", first ? "" : ",\n", d->name);
		if (with_errno && d->errno_refused)
			printf(" (%s)", errno_name(d->errno_refused));
		first = false;
	}
	printf(".\n");
}

/* The operations of calls that are many in one and that are refused. */
static void
list_operations(void)
{
	static const struct {
		const char *call;
		unsigned arg;
		uint32_t last;
	} calls[] = { { "prctl", 0, 200 },
		      { "arch_prctl", 0, 0x6000 },
		      { "madvise", 2, 200 },
		      { "seccomp", 0, 20 } };

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct sys_call c = { .nr = sys_by_name(calls[i].call) };
		bool first = true;

		printf(".TP\n%s\n", calls[i].call);
		for (uint32_t v = 0; v < calls[i].last; v++) {
			int e;

			c.args[calls[i].arg] = v;
			if (!sys_subop_name(&c) || !sys_subop_refused(&c, &e))
				continue;
			printf("%s%s (%s)", first ? "" : ",\n",
			       sys_subop_name(&c), errno_name(e));
			first = false;
		}
		printf(".\n");
	}
}

static void
man(void)
{
	printf(".\\\" Printed by tools/tabledump from event/sys_x86_64.c.\n"
	       ".TH PASTIME-SYSCALLS 7 \"\" \"pastime\" \"pastime manual\"\n"
	       ".nh\n"
	       ".SH NAME\n"
	       "pastime-syscalls \\- what pastime does with each system call\n"
	       ".SH DESCRIPTION\n"
	       "A recorded program's system calls run as they would without\n"
	       "pastime, and what they return and write to memory is kept.\n"
	       "A replay takes it from there and asks the kernel for nothing\n"
	       "but memory and tasks.\n"
	       ".PP\n"
	       "A call that is not listed here gets ENOSYS, as from an older\n"
	       "kernel, and the last line of \\fBpastime record\\fR names it.\n"
	       ".SH REFUSED\n"
	       "What these do to memory cannot be recorded, or they would "
	       "hurt\n"
	       "the machine. The program gets the error in parentheses, and\n"
	       "the last line of \\fBpastime record\\fR says so.\n"
	       ".PP\n");
	list(is_refused, true);
	printf(".PP\nOperations of other calls that are refused:\n");
	list_operations();
	printf(".TP\nioctl\n"
	       "userfaultfd, KVM, DRM, VFIO, RDMA, NVIDIA, sound and USB\n"
	       "devices (ENOTTY), and requests that pastime does not know\n"
	       "and whose number does not say what they write.\n"
	       ".SH ANSWERED AS BY AN OLDER KERNEL\n"
	       "Programs cope with these, so nobody is told.\n"
	       ".PP\n");
	list(is_quiet, true);
	printf(".SH ANSWERED BY PASTIME\n"
	       "So that the answer is the same on every machine, or because\n"
	       "the call would change what the recording rests on.\n"
	       ".PP\n");
	list(is_answered, false);
	printf(".SH EXECUTED AGAIN BY A REPLAY\n"
	       "They make memory, tasks and programs.\n"
	       ".PP\n");
	list(is_repeated, false);
	printf(".SH RECORDED\n"
	       "All the others run, and a replay takes their results and\n"
	       "outputs from the recording.\n"
	       ".PP\n");
	list(is_run, false);
	printf(".SH SEE ALSO\n"
	       "\\fBpastime\\fR(1), \\fBpastime-record\\fR(1),\n"
	       "\\fBsyscalls\\fR(2)\n");
}

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "sql") == 0) {
		sql();
	} else if (argc == 2 && strcmp(argv[1], "man") == 0) {
		man();
	} else {
		fprintf(stderr, "usage: tabledump sql | man\n");
		return 1;
	}
	return fflush(stdout) != 0 || ferror(stdout);
}
