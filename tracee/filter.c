#include "tracee/filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/abi.h"

#define LOAD(field)                                                            \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_HIGH(field)                                                       \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS,                                     \
		 offsetof(struct seccomp_data, field) + 4)
/* Go on when equal, else skip n instructions. */
#define ELSE_SKIP(value, n)                                                    \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, (n))
/* Skip n instructions when equal, else go on. */
#define OR_SKIP(value, n)                                                      \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), (n), 0)
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, (action))

/*
 * What a fresh image does first (AGENT_BOOT) may come from anywhere: where the
 * page is already the one fails and the other changes nothing, in recording
 * and replay.
 */
/* clang-format off */
static const struct sock_filter program[] = {
	LOAD(arch),
	ELSE_SKIP(AUDIT_ARCH_X86_64, 29),
	LOAD(instruction_pointer),
	OR_SKIP(AGENT_GADGET_AFTER, 2),
	OR_SKIP(AGENT_BATCH_AFTER, 1),
	ELSE_SKIP(AGENT_CALL_AFTER, 3),
	LOAD_HIGH(instruction_pointer),
	ELSE_SKIP(AGENT_GADGET_AFTER >> 32, 1),
	RETURN(SECCOMP_RET_ALLOW),
	LOAD(args[0]),
	ELSE_SKIP(AGENT_BASE, 19),
	LOAD_HIGH(args[0]),
	ELSE_SKIP(0, 17),
	LOAD(args[1]),
	ELSE_SKIP(AGENT_SIZE, 15),
	LOAD_HIGH(args[1]),
	ELSE_SKIP(0, 13),
	LOAD(nr),
	OR_SKIP(__NR_mprotect, 8),
	ELSE_SKIP(__NR_mmap, 10),
	LOAD(args[3]),
	ELSE_SKIP(AGENT_BOOT_MAP, 8),
	LOAD_HIGH(args[3]),
	ELSE_SKIP(0, 6),
	LOAD(args[2]),
	ELSE_SKIP(PROT_READ | PROT_WRITE, 4),
	RETURN(SECCOMP_RET_ALLOW),
	LOAD(args[2]),
	ELSE_SKIP(PROT_READ | PROT_EXEC, 1),
	RETURN(SECCOMP_RET_ALLOW),
	RETURN(SECCOMP_RET_TRACE | FILTER_NATIVE),
	RETURN(SECCOMP_RET_TRACE | FILTER_FOREIGN),
};
/* clang-format on */

#define AGENT_TEST 5 /* the instruction that lets the agent's calls pass */

static int
install(bool all)
{
	struct sock_filter own[sizeof(program) / sizeof(program[0])];
	struct sock_fprog prog = {
		.len = sizeof(program) / sizeof(program[0]),
		.filter = own,
	};

	memcpy(own, program, sizeof(own));
	if (all)
		own[AGENT_TEST].k = (uint32_t)AGENT_GADGET_AFTER;

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

static int
install_somehow(int keep_privs, bool all, struct err *err)
{
	/* Without no_new_privs the kernel asks for CAP_SYS_ADMIN. */
	if (keep_privs && install(all) == 0)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno(err, "cannot set no_new_privs");
	if (install(all) < 0)
		return err_errno(err, "cannot install a seccomp filter");
	return 0;
}

int
filter_install(int keep_privs, struct err *err)
{
	return install_somehow(keep_privs, false, err);
}

int
filter_install_all(int keep_privs, struct err *err)
{
	return install_somehow(keep_privs, true, err);
}
