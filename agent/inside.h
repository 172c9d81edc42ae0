#ifndef AGENT_INSIDE_H
#define AGENT_INSIDE_H

/* What the files of the agent's code share. Nothing else includes this. */
#include "agent/abi.h"
#include "agent/row.h"

/* In the order in which enter.S pushes them. */
struct agent_frame {
	uint64_t rcx; /* the stub's syscall instruction; out: where to go on */
	uint64_t rax;
	uint64_t arg[6]; /* rdi rsi rdx r10 r8 r9 */
	uint64_t rbx, rbp, r12, r13, r14, r15, eflags;
};

#define AGENT_FRAME_RDI 2u /* words before the registers of enum agent_reg */

_Static_assert(sizeof(struct agent_frame) == AGENT_FRAME &&
		       sizeof(struct agent_frame) ==
			       8 * (AGENT_FRAME_RDI + AGENT_EFLAGS - AGENT_RDI +
				    1),
	       "agent/abi.h");

struct kstat {
	uint64_t dev, ino, nlink;
	uint32_t mode, uid, gid, pad;
	uint64_t rdev, size, blksize, blocks;
	struct agent_time atime, mtime, ctime;
	uint64_t rest[3];
};

_Static_assert(sizeof(struct kstat) == 144, "the kernel's struct stat");

#define NR_FSTAT 5
#define NR_POLL 7
#define NR_MMAP 9
#define NR_MPROTECT 10
#define NR_MUNMAP 11
#define NR_BRK 12
#define NR_RT_SIGPROCMASK 14
#define NR_SCHED_YIELD 24
#define NR_NANOSLEEP 35
#define NR_GETSOCKOPT 55
#define NR_GETTIMEOFDAY 96
#define NR_RT_SIGPENDING 127
#define NR_TIME 201
#define NR_FUTEX 202
#define NR_NEWFSTATAT 262
#define NR_PPOLL 271

#define K_EINTR 4
#define K_EAGAIN 11
#define K_EFAULT 14
#define K_EFBIG 27
#define K_EPIPE 32
#define K_ENOSYS 38
#define K_LAST 4095

#define AT_CWD (-100)
#define EFLAGS_TF 0x100u
#define EFLAGS_AC 0x40000u

#define PATH_LONGEST 4096u
#define INPUT_LONGEST 4096u
#define PIECES 256u	      /* heads and padding of several pieces */
#define DATA_LONGEST 0x40000u /* of one read or write */

static inline struct agent_data *
data(void)
{
	return (struct agent_data *)AGENT_DATA;
}

static inline long
call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
     uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("call agent_call"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#define COPY_SHORT 64u /* below it "rep movsb" takes longest to begin */

static inline void
copy(void *to, const void *from, uint64_t n)
{
	while (n >= 8 && n <= COPY_SHORT) {
		uint64_t v;

		/* One instruction each, lest somebody calls memcpy. */
		__asm__ volatile("mov (%1), %0\n\tmov %0, (%2)"
				 : "=&r"(v)
				 : "r"(from), "r"(to)
				 : "memory");
		from = (const char *)from + 8;
		to = (char *)to + 8;
		n -= 8;
	}
	if (n == 0)
		return;
	__asm__ volatile("rep movsb"
			 : "+D"(to), "+S"(from), "+c"(n)
			 :
			 : "memory");
}

/* Where the program called. */
static inline uint64_t
site_of(const struct agent_frame *f)
{
	return *(const uint64_t *)(f->rcx + 8); /* see agent/abi.h */
}

/* The call as the program wants it. */
long agent_native(long nr, const struct agent_frame *f);
/* ... which may wait, when flag (enum agent_flag) is set: interruptible by the
 * tracer. -K_EINTR: it was broken off, or not begun. rec is what is said of
 * a task that is killed meanwhile. */
long agent_wait_for(struct agent_rec *rec, long nr, const struct agent_frame *f,
		    uint64_t flag);

/* Is a failure to be written down? Others are made again where they trap. */
int agent_is_final(long ret);

/* enum agent_kind, with AGENT_FD_OUTPUT */
unsigned agent_kind(uint64_t fd);
unsigned agent_kind_of(const struct kstat *st); /* without it */
/* A stat has succeeded; its pieces begin there in its record. */
void agent_told(const struct agent_rec *rec, uint64_t pieces,
		const struct row *w, const struct agent_frame *f);
/* The kind of what is there, when that was the very last call. */
unsigned agent_seen(uint64_t dir, uint64_t path);
void agent_forget_fd(uint64_t fd);
void agent_forget_fds(void);
/* Of a kind: does not wait, and may be. The order of what several tasks write
 * to the command's outputs is for the tracer to see. */
int agent_may_read(unsigned kind);
int agent_may_write(unsigned kind);
/* ... it may wait. */
int agent_may_send(uint64_t fd);

/* Begin the record of a call; 0 = there is no room for it with n bytes more. */
struct agent_rec *agent_begin(long nr, const struct agent_frame *f, uint64_t n);
void agent_piece(struct agent_rec *rec, uint64_t addr, uint64_t n);
/* ... as if from was there. */
void agent_piece_as(struct agent_rec *rec, uint64_t addr, const void *from,
		    uint64_t n);
/* The time; after a call, or before one whose effect others see. */
uint64_t agent_now(void);
/* What a row's own pieces need at most. */
uint64_t agent_need(const struct row *w);
/* A call as its row says. */
int agent_plain(long nr, const struct row *w, struct agent_frame *f);
/* The call has returned: what its row says, and publish. 1: done. */
int agent_finish(struct agent_rec *rec, const struct row *w,
		 struct agent_frame *f, long ret);
/* The call has returned, its pieces are in rec: publish. Returns 1. */
int agent_end(struct agent_rec *rec, struct agent_frame *f, long ret);
/* Published: from here on the call has taken place. */
void agent_publish(const struct agent_rec *rec, struct agent_frame *f);

/* wait.c: classes of calls that may wait. 0: it has to trap. */
int agent_waits(long nr, const struct row *w, struct agent_frame *f);

/* replay.c: what the call did, from its record. Any other call, and the one
 * after the last record, traps. */
void agent_replays(struct agent_frame *f);

/* clock.c: without a call, where that is possible. */
int agent_clocks(long nr, struct agent_frame *f);
int agent_cpus(long nr, struct agent_frame *f);

/* vector.c: likewise. */
int agent_vectors(long nr, const struct row *w, struct agent_frame *f);

/* space.c: likewise. */
int agent_maps(long nr, struct agent_frame *f);
int agent_masks(long nr, struct agent_frame *f);
int agent_acts(long nr, struct agent_frame *f);
int agent_exits(long nr, struct agent_frame *f);
/* In replay: make it; does it say what it should? */
int agent_made_again(const struct agent_again *c);

#endif
