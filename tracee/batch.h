#ifndef TRACEE_BATCH_H
#define TRACEE_BATCH_H

/*
 * Several system calls inside a stopped task with one stop. The list ends at
 * the first call that does not say what it should. As for remote.h all signals
 * are blocked meanwhile, and all registers are put back.
 *
 *	batch_init(&b, batch_boot_at(entry));
 *	batch_add(&b, SYS_munmap, BATCH_ANY, start, len, 0, 0, 0, 0);
 *	ret = batch_boot(tid, m, &b, regs, &did, err);
 *
 * A SIGTRAP that the task ignores is not ignored any more afterwards.
 */
#include "agent/abi.h"
#include "base/err.h"
#include "event/regs.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mem;

#define BATCH_CALLS 15u
#define BATCH_DATA 128u
#define BATCH_ANY ((uint64_t)-4096) /* no call says that */

/* As the code that makes the calls sees it (agent/entry.S). */
struct batch_call {
	int64_t nr; /* -1: the end */
	uint64_t arg[6];
	uint64_t want; /* its result, or BATCH_ANY */
};

struct batch {
	uint64_t at; /* where the list will lie */
	size_t n, data_len;
	struct batch_call call[BATCH_CALLS + 1];
	uint8_t data[BATCH_DATA]; /* follows it */
};

/* What became of it. */
struct batch_done {
	size_t n;     /* calls that did as they should */
	int64_t last; /* the result of the next one, if there is any */
};

void batch_init(struct batch *b, uint64_t at);
void batch_add(struct batch *b, long nr, uint64_t want, uint64_t a0,
	       uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
/* Bytes that arguments may point to, until the list is through. */
uint64_t batch_put(struct batch *b, const void *p, size_t n);

/* The list lies in the agent page, which is there: init with this. */
#define BATCH_AT AGENT_ARG
int batch_run(pid_t tid, const struct mem *m, const struct batch *b,
	      struct batch_done *out, struct err *err);
/* For who lets the task run itself: the list where it belongs, or zeros again;
 * it runs from AGENT_BASE + AGENT_BATCH with rbx = BATCH_AT to an int3, whose
 * registers tell. */
int batch_place(pid_t tid, const struct mem *m, const struct batch *b,
		bool there, struct err *err);
struct batch_done batch_done_of(const struct batch *b, const struct regs *regs);
/*
 * A fresh image at its exec stop, with entry as its first instruction: the
 * agent page is mapped first. Code and list stand for a moment at the beginning
 * of the page of that instruction, which must be readable. -EEXIST: something
 * is mapped where the agent page belongs. It goes on with the registers back.
 */
uint64_t batch_boot_at(uint64_t entry);
int batch_boot(pid_t tid, const struct mem *m, const struct batch *b,
	       const struct regs *back, struct batch_done *out,
	       struct err *err);

#endif
