#include "tracee/ptrace.h"

#include <elf.h>
#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

#include "tracee/stop.h"

_Static_assert(sizeof(struct regs) == sizeof(struct user_regs_struct),
	       "struct regs is the kernel's register file");
_Static_assert(offsetof(struct regs, orig_rax) ==
		       offsetof(struct user_regs_struct, orig_rax),
	       "same order");
_Static_assert(offsetof(struct regs, gs) ==
		       offsetof(struct user_regs_struct, gs),
	       "same order");

/* EXITKILL: without a tracer the filter answers ENOSYS to everything. */
#define SEIZE_OPTIONS                                                          \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |    \
	 PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT |       \
	 PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL)

/* Where a first read of the xsave area starts; AMX needs 11 KB. */
#define XSTATE_FIRST 16384u

static int
request(int op, pid_t tid, unsigned long addr, unsigned long data)
{
	if (ptrace((enum __ptrace_request)op, tid, addr, data) >= 0)
		return 0;
	return errno == ESRCH ? -E_GONE : -errno;
}

static int
request_ptr(int op, pid_t tid, unsigned long addr, const void *data)
{
	return request(op, tid, addr, (unsigned long)data);
}

int
ptrace_seize(pid_t tid, struct err *err)
{
	int ret = request(PTRACE_SEIZE, tid, 0, SEIZE_OPTIONS);

	if (ret == -E_GONE)
		return err_set(err, E_GONE, "task %d is gone", tid);
	if (ret == -EPERM || ret == -EACCES) {
		ret = err_set(err, E_PTRACE_DENIED,
			      "tracing of process %d is not permitted", tid);
		err_hint(err, "pastime doctor");
		return ret;
	}
	if (ret < 0) {
		errno = -ret;
		return err_errno(err, "cannot trace process %d", tid);
	}
	return 0;
}

int
ptrace_resume(pid_t tid, int op, int signo)
{
	return request(op, tid, 0, (unsigned long)signo);
}

int
ptrace_cont(pid_t tid)
{
	return request(PTRACE_CONT, tid, 0, 0);
}

int
ptrace_interrupt(pid_t tid)
{
	return request(PTRACE_INTERRUPT, tid, 0, 0);
}

int
ptrace_get_regs(pid_t tid, struct regs *out)
{
	return request_ptr(PTRACE_GETREGS, tid, 0, out);
}

int
ptrace_set_regs(pid_t tid, const struct regs *r)
{
	return request_ptr(PTRACE_SETREGS, tid, 0, r);
}

int
ptrace_get_xstate(pid_t tid, struct buf *out)
{
	size_t size = out->cap > XSTATE_FIRST ? out->cap : XSTATE_FIRST;
	struct iovec iov;
	int ret;

	for (;;) {
		buf_clear(out);
		iov.iov_base = buf_grow(out, size);
		iov.iov_len = size;
		ret = request_ptr(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &iov);
		if (ret < 0) {
			buf_clear(out);
			return ret;
		}
		if (iov.iov_len < size)
			break;
		size *= 2;
	}
	out->len = iov.iov_len;
	return 0;
}

int
ptrace_set_xstate(pid_t tid, struct span xstate)
{
	/* The kernel does not write through a SETREGSET vector. */
	struct iovec iov = {
		.iov_base = (void *)(uintptr_t)xstate.p,
		.iov_len = xstate.len,
	};

	return request_ptr(PTRACE_SETREGSET, tid, NT_X86_XSTATE, &iov);
}

int
ptrace_get_siginfo(pid_t tid, uint8_t out[128])
{
	return request_ptr(PTRACE_GETSIGINFO, tid, 0, out);
}

int
ptrace_set_siginfo(pid_t tid, const uint8_t si[128])
{
	return request_ptr(PTRACE_SETSIGINFO, tid, 0, si);
}

int
ptrace_get_sigmask(pid_t tid, uint64_t *out)
{
	return request_ptr(PTRACE_GETSIGMASK, tid, sizeof(*out), out);
}

int
ptrace_set_sigmask(pid_t tid, uint64_t mask)
{
	return request_ptr(PTRACE_SETSIGMASK, tid, sizeof(mask), &mask);
}

int
ptrace_fault_pending(pid_t tid)
{
	siginfo_t si[16];
	struct __ptrace_peeksiginfo_args args = { .nr = 16 };
	long n;

	for (;;) {
		n = ptrace(PTRACE_PEEKSIGINFO, tid, &args, si);
		if (n < 0)
			return errno == ESRCH ? -E_GONE : -errno;
		for (long i = 0; i < n; i++)
			if (stop_is_fault(si[i].si_signo, si[i].si_code))
				return 1;
		if (n < args.nr)
			return 0;
		args.off += (uint64_t)n;
	}
}

int
ptrace_set_break(pid_t tid, uint64_t addr)
{
	size_t at = offsetof(struct user, u_debugreg);
	int ret;

	/* DR7: local enable of DR0, which stops at an instruction. */
	ret = request(PTRACE_POKEUSER, tid, at + 7 * 8, 0);
	if (ret < 0 || addr == 0)
		return ret;
	ret = request(PTRACE_POKEUSER, tid, at, addr);
	return ret < 0 ? ret : request(PTRACE_POKEUSER, tid, at + 7 * 8, 1);
}

/* glibc's PEEKUSER returns the value itself, which may look like an error. */
static int
peek_debug(pid_t tid, unsigned n, unsigned long *out)
{
	size_t at = offsetof(struct user, u_debugreg) + n * 8ul;

	if (syscall(SYS_ptrace, PTRACE_PEEKUSER, tid, at, out) == 0)
		return 0;
	return errno == ESRCH ? -E_GONE : -errno;
}

int
ptrace_set_debug(pid_t tid, unsigned slot, enum ptrace_debug what,
		 uint64_t addr, unsigned len)
{
	/* Lengths 1, 2, 4, 8 are coded 0, 1, 3, 2. */
	static const uint8_t code[9] = { [2] = 1, [4] = 3, [8] = 2 };
	size_t at = offsetof(struct user, u_debugreg);
	unsigned long dr7, field = 0xful << (16 + 4 * slot);
	int ret = peek_debug(tid, 7, &dr7);

	if (ret < 0)
		return ret;
	/* Off before the address changes: the two are checked together. */
	dr7 &= ~(field | 3ul << (2 * slot));
	ret = request(PTRACE_POKEUSER, tid, at + 7 * 8, dr7);
	if (ret < 0 || what == PTRACE_DEBUG_OFF)
		return ret;
	ret = request(PTRACE_POKEUSER, tid, at + slot * 8ul, addr);
	if (ret < 0)
		return ret;
	dr7 |= 1ul << (2 * slot);
	dr7 |= ((unsigned long)what | (unsigned long)code[len] << 2)
	       << (16 + 4 * slot);
	return request(PTRACE_POKEUSER, tid, at + 7 * 8, dr7);
}

int
ptrace_debug_hits(pid_t tid)
{
	size_t at = offsetof(struct user, u_debugreg);
	unsigned long dr6;
	int ret = peek_debug(tid, 6, &dr6);

	if (ret == 0)
		ret = request(PTRACE_POKEUSER, tid, at + 6 * 8, 0);
	return ret < 0 ? ret : (int)(dr6 & 15);
}

int
ptrace_set_breaks(pid_t tid, const uint64_t *addr, unsigned n)
{
	size_t at = offsetof(struct user, u_debugreg);
	unsigned long dr7 = 0;
	int ret = request(PTRACE_POKEUSER, tid, at + 7 * 8, 0);

	for (unsigned i = 0; ret == 0 && i < n; i++) {
		ret = request(PTRACE_POKEUSER, tid, at + i * 8, addr[i]);
		dr7 |= 1ul << (2 * i);
	}
	if (ret == 0 && n > 0)
		ret = request(PTRACE_POKEUSER, tid, at + 7 * 8, dr7);
	return ret;
}

int
ptrace_event_msg(pid_t tid, unsigned long *out)
{
	return request_ptr(PTRACE_GETEVENTMSG, tid, 0, out);
}

int
ptrace_syscall_op(pid_t tid)
{
	struct __ptrace_syscall_info info;
	long n = ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info);

	if (n < 0)
		return errno == ESRCH ? -E_GONE : -errno;
	return info.op;
}

int
ptrace_get_rseq(pid_t tid, uint64_t *addr, uint32_t *size, uint32_t *sig)
{
	struct __ptrace_rseq_configuration c;
	int ret =
		request_ptr(PTRACE_GET_RSEQ_CONFIGURATION, tid, sizeof(c), &c);

	if (ret < 0)
		return ret;
	*addr = c.rseq_abi_pointer;
	*size = c.rseq_abi_size;
	*sig = c.signature;
	return 0;
}
