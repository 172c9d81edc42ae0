#ifndef TRACEE_POINT_PRIV_H
#define TRACEE_POINT_PRIV_H

/* Between the files of tracee/point.h. */
#include "agent/stub.h"
#include "sym/move.h"
#include "tracee/maps.h"
#include "tracee/point.h"

#define POINT_PAGE 4096u
#define POINT_ARITHMETIC 0x8d5u /* CF PF AF ZF SF OF */

/* xmm registers in the xsave area. */
#define POINT_XMM 160u
#define POINT_XMM_END 416u

/* General register n in the order of instruction encoding: rax rcx rdx rbx ...
 */
uint64_t point_gpr(const struct regs *r, unsigned n);

/* Bytes of code that a search has replaced, for as long as it goes on. */
struct patch {
	uint64_t addr;
	uint8_t len; /* 0: none */
	uint8_t orig[WINDOW_JUMP];
};

/* ---- point_state.c: comparing; what patch has replaced counts as it was */

/* Bytes at addr, zeros where nothing can be read. */
void point_read(const struct mem *m, uint64_t addr, void *out, size_t n);
uint64_t point_hash(const struct mem *m, uint64_t addr, uint32_t pages);
/* Fill in the hashes of n sums; pages that cannot be read count as zeros. */
void point_hash_all(const struct mem *m, struct point_sum *v, size_t n);
/* Is the code at the point what it was, as far as a jump would replace it?
 * patch: of that place, or NULL. */
bool point_code_agrees(const struct mem *m, const struct point *p,
		       const struct patch *patch);
/* NULL when they agree, else the name of what differs. */
const char *point_regs_differ(const struct regs *is, const struct point *p);
bool point_xstate_agrees(pid_t tid, const struct point *p);
bool point_ranges_agree(const struct mem *m, const struct point *p,
			const struct patch *patch);
/* The index of the first sum that disagrees, or -1; hint is looked at first. */
ptrdiff_t point_sum_differs(const struct mem *m, const struct point *p,
			    size_t hint, const struct patch *patch);
/* Was the page of addr written in the interval? */
bool point_wrote(const struct point *p, uint64_t addr);
/* Is all that was written near addr now what it is at the point? */
bool point_sum_agrees_at(const struct mem *m, const struct point *p,
			 uint64_t addr);

/* ---- point_stub.c */

/* What each visit compares first: the low half of a register, or 4 bytes. */
enum first_how {
	FIRST_REGISTER,
	FIRST_NEAR, /* bytes that code in the stub can address */
	FIRST_RSP,  /* bytes near the stack pointer */
	FIRST_FAR,  /* other bytes */
	FIRST_XMM,  /* 4 bytes of a vector register */
};

struct stub_first {
	enum first_how how;
	uint8_t reg;
	uint8_t part;  /* of the vector register: 0 to 3 */
	uint64_t rsp;  /* its value at the point */
	uint64_t word; /* address of the bytes */
	uint32_t want;
	bool small; /* all 8 bytes are want, sign-extended, and can be negated
		     */
};

/* A stub in a space: the same place in all copies that are made after
 * stub_map. */
struct stub {
	uint64_t map; /* start of the mapping, 0 = none */
	uint64_t len;
	uint64_t base; /* the blob: in the mapping, multiple of 8 */
	uint64_t pc;
	struct stub_first first;
	bool count;	    /* visits are counted */
	uint64_t countdown; /* not 0: stop at this visit, compare nothing */
	uint64_t tick;	    /* with countdown: address of a word that counts the
			     * visits of all stubs that share it; 0 = none */
	bool strings;	    /* repeated string instructions are near pc */
	bool flags_dead;    /* the program does not need its flags at pc */
	uint32_t moved_at;  /* offset of the moved instructions */
	uint64_t word;	    /* learned: differs before the point; 0 = none */
	uint64_t word_want;
	uint64_t tuned; /* visits when it was chosen what comes first */
	uint8_t orig[WINDOW_JUMP];
	struct window window;
	struct moved moved;
	bool alone;	  /* wish: move no loop */
	struct loop loop; /* if there is one it is moved, not the window */
};

/*
 * Map and fill a stub at s->pc in run's space: for p, or (p NULL) one that
 * counts down from s->countdown. Returns 1, or 0 when no jump can be used
 * there, which is no error.
 */
int stub_map(struct stub *s, const struct point_run *run, const struct point *p,
	     struct err *err);
/* Take it out of the space again; a jump to it must not be there any more. */
int stub_unmap(const struct stub *s, const struct point_run *run,
	       struct err *err);
/* Put the jump there, and the task on it when it stands within. */
int stub_arm(const struct stub *s, const struct point_run *run,
	     struct err *err);
int stub_disarm(const struct stub *s, const struct point_run *run);
/* The jump itself. */
void stub_jump(const struct stub *s, uint8_t out[WINDOW_JUMP]);
/* The jump is still there: the program did not write over it. */
bool stub_is_armed(const struct stub *s, const struct point_run *run);
/* Where in the space a part of the stub is. */
uint64_t stub_code(const struct stub *s, uint32_t offset);
uint64_t stub_field(const struct stub *s, size_t offset);
const struct stub_head *stub_head(void);
bool stub_holds(const struct stub *s, uint64_t pc); /* pc is in the stub */
/* Choose what told most visits of run apart so far to be compared first. True:
 * it is another than before, stub_install has to follow. visits: there were
 * about so many since the last time, for stubs that do not count. */
bool stub_tune(struct stub *s, const struct point_run *run,
	       const struct point *p, uint64_t visits);
/* Write the hot code for s as it is now. The task must not be in the stub. */
int stub_install(struct stub *s, const struct point_run *run);
/* Visits are counted on from n. */
int stub_set_visits(const struct stub *s, const struct point_run *run,
		    uint64_t n);
/* Make the task trap (int3) at entry; stub_install takes it back. */
void stub_pause(const struct stub *s, const struct point_run *run);
/* Compare the pages of a sum in the program, too. */
int stub_teach(const struct stub *s, const struct point_run *run,
	       const struct point_sum *sum);
/* The task trapped or faulted at pc: may it go on elsewhere? 0 = not ours. */
uint64_t stub_redirect(const struct stub *s, const struct point_run *run,
		       uint64_t pc);

/* ---- point_emit.c */

/* The code at entry for s as it is now; sets s->moved and moved_at. False:
 * something is out of reach from there. */
bool stub_emit(struct stub *s, uint8_t out[STUB_LEAD + STUB_HOT]);
/* Does a visit cost next to nothing, unless it is counted? */
bool stub_is_cheap(const struct stub *s);

#endif
