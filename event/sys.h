#ifndef EVENT_SYS_H
#define EVENT_SYS_H

/*
 * The system call table of x86-64 and what follows from a row: which memory a
 * call writes, how much of it, what people want to see of its input. One row
 * per call (event/sys_x86_64.c); record, replay, text, SQL and manual read the
 * same row. No ptrace here: memory comes through a callback.
 */
#include "base/arena.h"
#include "base/err.h"
#include "event/event.h"
#include <stdbool.h>

/* What the recorder does with a call. */
enum sys_decision {
	SYS_UNKNOWN = 0, /* no row: ENOSYS and a warning */
	SYS_RUN,	 /* let it run, record result and outputs */
	SYS_REFUSE,	 /* answer -errno_refused, warn once */
	SYS_EMULATE,	 /* recorder/special.c answers in the kernel's place; with an
			  * errno_refused the answer is that, and nobody is warned */
	SYS_SPECIAL,	 /* runs, with extra work in recorder/special.c */
};

/* What replay does with a call besides setting result and outputs. */
enum sys_replay {
	SYS_DATA = 0,	/* nothing */
	SYS_MEMORY,	/* mapping call: executed again at recorded addresses */
	SYS_TASK,	/* clone, exec, exit */
	SYS_SIGNAL,	/* rt_sigreturn and kin: registers from the log */
	SYS_TLS,	/* arch_prctl */
};

enum sys_blocking { SYS_NEVER, SYS_MAYBE, SYS_ALWAYS };

enum sys_flag {
	SYSF_FD = 1u << 0,	/* makes, closes or changes descriptors */
	SYSF_SIG = 1u << 1,	/* touches masks, actions or altstack */
	SYSF_SEND = 1u << 2,	/* others may see its effect before it returns */
	SYSF_WRITES_FILE = 1u << 3, /* may change bytes of a mapped inode */
	SYSF_NORETURN = 1u << 4,
	SYSF_RET_HEX = 1u << 5,
	SYSF_RET_FD = 1u << 6,
};

enum arg_type {
	ARG_NONE = 0, ARG_INT, ARG_UINT, ARG_LONG, ARG_ULONG, ARG_HEX, ARG_OCT,
	ARG_FD, ARG_DIRFD, ARG_PATH, ARG_STR, ARG_STRV, ARG_FLAGS, ARG_ENUM,
	ARG_SIGNO, ARG_PID, ARG_CLOCK, ARG_PTR, ARG_BUF, ARG_IOV, ARG_MSGHDR,
	ARG_MMSG, ARG_SOCKADDR, ARG_TIMESPEC, ARG_TIMEVAL, ARG_SIGSET,
	ARG_SIGACTION, ARG_SIGINFO, ARG_FDSET, ARG_POLLFDS, ARG_EPEVENTS,
	ARG_STAT, ARG_FDPAIR, ARG_STRUCT, ARG_INTS, ARG_LONGS,
};

enum arg_dir { DIR_NONE = 0, DIR_IN = 1, DIR_OUT = 2, DIR_INOUT = 3 };

/* Where the number of bytes behind a pointer comes from. */
enum len_from {
	LEN_NONE = 0,
	LEN_CONST,	/* k bytes */
	LEN_ARG,	/* args[i] * k */
	LEN_RET,	/* ret * k, at most args[i] when i is given (ret + k: LEN_RET_PLUS) */
	LEN_RET_PLUS,
	LEN_PTR_ARG,	/* value-result: min(u32 at args[i] on entry, and on return) */
	LEN_STR,	/* NUL-terminated */
	LEN_IOV,	/* iovec array, count in args[i]; bytes: ret in all */
	LEN_MSGHDR,
	LEN_MMSG,	/* ret messages */
	LEN_FDSET,	/* args[i] bits, rounded up to 8 bytes */
	LEN_PAGES,	/* one byte per page of args[i] */
	LEN_BITS,	/* args[i] bits, rounded up to 8 bytes */
	LEN_CUSTOM,	/* event/sys_custom.c knows */
};

enum out_when { WHEN_OK, WHEN_POS, WHEN_ANY, WHEN_INTR };

struct flag_name {
	uint64_t value;
	const char *name;
};

struct sys_arg {
	const char *name;
	uint8_t type;		/* enum arg_type */
	uint8_t dir;		/* enum arg_dir */
	uint8_t len_from;	/* enum len_from */
	uint8_t len_arg;	/* index i, 0xff = none */
	uint16_t len_k;
	uint8_t when;		/* enum out_when, for outputs */
	const struct flag_name *flags; /* ARG_FLAGS, ARG_ENUM */
};

struct sys_desc {
	const char *name;	/* NULL: no such row */
	uint8_t decision;	/* enum sys_decision */
	uint8_t replay;		/* enum sys_replay */
	uint8_t blocking;	/* enum sys_blocking */
	uint8_t nargs;
	uint16_t errno_refused;
	uint32_t flags;		/* enum sys_flag */
	const char *group;	/* "file", "net", "process", "signal", "memory", "time", "ipc", "sched", "system" */
	struct sys_arg args[6];
};

#define SYS_MAX 470

/* Never NULL: a row with decision SYS_UNKNOWN for numbers without one. */
const struct sys_desc *sys_desc(int nr);
const char *sys_name(int nr); /* "syscall_999" for an unknown one (thread-local text) */
int sys_by_name(const char *name); /* -1 */

/* Memory of the calling task. read returns bytes read (may be short) or -errno. */
struct sys_mem {
	int64_t (*read)(void *ctx, uint64_t addr, void *buf, size_t n);
	void *ctx;
};

/* One call in flight. Entry copies live in arena, so outputs that overwrite
 * their own descriptors (iovec, msghdr) are still found. */
struct sys_call {
	int nr;
	uint64_t args[6];
	int64_t ret;
	struct arena *arena;
	struct sys_entry *entry; /* what sys_call_enter copied */
};

struct sys_range {
	uint64_t addr;
	uint64_t len;
	int arg;	/* argument it belongs to, -1 = none; inputs: see SYS_IN_* */
	/* For buffers that scratch memory may replace: where the kernel finds the
	 * pointer. ptr_addr 0 = in args[arg] itself, else in memory at ptr_addr. */
	uint64_t ptr_addr;
};

#define SYS_RANGES_MAX 12288 /* 1024 messages of 7 buffers each, and some */

/* Of a message's input, ITEM_IN's number: arg = its data, and these. */
#define SYS_IN_NAME 0x10    /* arg | this: the address it goes to */
#define SYS_IN_CONTROL 0x20 /* arg | this: control data */
/* What sendfile and the like moved past the program's memory (recorder). */
#define SYS_IN_MOVED 6

/*
 * The three that fill ranges return how many there are, which may be more than
 * max (a recvmmsg of very many buffers): ask again with room for all of them. A
 * structure comes before what it points to. Memory seen through m after the
 * call must be what the kernel wrote (scratch copied back).
 */

/* Copy what decides sizes: iovecs, msghdrs, value-result lengths. At the entry.
 * Memory that cannot be read is no error here: the kernel will say EFAULT. */
int sys_call_enter(struct sys_call *c, const struct sys_mem *m, struct err *err);
/* Memory that the call may write, with full capacity, before it runs: what
 * scratch memory must stand in for. Returns the count. */
int sys_call_outbufs(const struct sys_call *c, struct sys_range *out, int max);
/* Memory that the call has written, c->ret set to the kernel's result (-errno
 * included: errors can write too). interrupted: -ERESTART* or EINTR. */
int sys_call_outputs(const struct sys_call *c, const struct sys_mem *m,
		     bool interrupted, struct sys_range *out, int max);
/* Input that people want to see later: paths, written bytes, addresses; each
 * with its argument index; empty strings have len 0. Bytes of write-like calls:
 * the first ret bytes (call after the return). Before the call, with ret 0, it
 * gives the same without them. */
int sys_call_inputs(const struct sys_call *c, const struct sys_mem *m,
		    struct sys_range *out, int max);
/* True when this particular call cannot wait (O_NONBLOCK is not known here):
 * futex WAKE, wait4 with WNOHANG, poll with timeout 0, fcntl F_GETFL. */
bool sys_call_never_blocks(const struct sys_call *c);
/* The sub-operation's name for ioctl, fcntl, prctl, futex, ... or NULL. */
const char *sys_subop_name(const struct sys_call *c);
/* True for sub-operations that must be refused; *out_errno says with what. */
bool sys_subop_refused(const struct sys_call *c, int *out_errno);

#endif
