#ifndef SYM_MOVE_H
#define SYM_MOVE_H

/*
 * Instructions that make room for a 5-byte jump: which a jump can replace,
 * and the same instructions at another address (Zydis).
 *
 * The bytes of the jump stand where instructions began. Who branches to one of
 * those from elsewhere must not find half a displacement there, but a byte
 * that traps: window.inner says where, window_trap_byte which bytes do.
 */
#include "base/span.h"
#include <stdint.h>

enum code_flow {
	FLOW_NEXT, /* goes on behind it */
	FLOW_JCC,  /* or to target */
	FLOW_LOOP, /* loop, loope, loopne, jrcxz: as jcc, short form only */
	FLOW_JMP,  /* to target */
	FLOW_JMP_IND,
	FLOW_CALL, /* to target */
	FLOW_CALL_IND,
	FLOW_RET,
	FLOW_EVENT, /* leaves user code, traps, or must not be moved:
		     * syscall, int3, rdtsc, cpuid, xbegin, hlt, ... */
};

#define CODE_LEN_MAX 15u

/* One instruction at its address. */
struct code {
	uint64_t pc;
	uint64_t target; /* JCC, LOOP, JMP, CALL */
	uint8_t len;
	uint8_t flow;	  /* enum code_flow */
	bool rep;	  /* string instruction with a repeat prefix */
	bool gather;	  /* gather, scatter: can stop half done, too */
	bool pushf;	  /* stores flags, the tracer's trap flag among them */
	bool rsp_operand; /* an indirect call or jump whose operand needs rsp */
	bool nop;
	uint8_t disp_at;  /* where the 4 bytes of a RIP-relative operand are, or
			     0 */
	uint8_t modrm_at; /* 0 = none */
	uint8_t opcode;	  /* the last byte of it */
	uint16_t writes;  /* general registers written: bit 0 rax, 1 rcx ... 15
			     r15 */
	uint8_t bytes[CODE_LEN_MAX];
};

/* The instruction at the start of bytes, which are at pc; false: none. */
bool code_decode(struct span bytes, uint64_t pc, struct code *out);

#define WINDOW_JUMP 5u /* bytes that are replaced */
#define WINDOW_INSNS 5u

/* The instructions that a jump at pc covers. */
struct window {
	uint64_t pc;
	uint8_t len; /* of them together, >= WINDOW_JUMP but before padding */
	uint8_t count;
	uint8_t inner; /* bit n: an instruction of the window begins at pc + n
			*/
	struct code insn[WINDOW_INSNS];
};

/*
 * Can a jump replace what is at pc, the start of bytes (at least 20 of them,
 * fewer only at the end of a mapping)? Not events, not what cannot be moved,
 * no call but the last; behind an unconditional jump or a return padding only.
 */
bool window_at(struct span bytes, uint64_t pc, struct window *out);
/*
 * Does a direct branch in code (at code_pc, what is near the window) land
 * inside it? Branches of the window itself do not count: they move, too.
 */
bool window_has_target(const struct window *w, struct span code,
		       uint64_t code_pc);
/*
 * Are the arithmetic flags at pc overwritten on every way from there before
 * anything reads them? Then code put there may change them. code: what is near
 * pc, at code_pc; a way that leaves it, calls, returns or is long means no.
 */
bool code_flags_dead(struct span code, uint64_t code_pc, uint64_t pc);
/* The first place in straight-line code from pc on that can carry a jump. */
bool window_next(struct span bytes, uint64_t pc, struct window *out);
/* The i-th byte value that traps as an instruction, whatever follows; 0 is
 * int3. -1: there are no more. */
int window_trap_byte(unsigned i);

#define MOVED_MAX 128u

/* The window's instructions at another address. */
struct moved {
	uint8_t len;
	uint8_t at[WINDOW_INSNS]; /* where each begins */
	uint64_t ret; /* what the call among them pushes, 0 = no call */
	uint8_t bytes[MOVED_MAX];
};

/*
 * Move w to address to; at the end control goes back behind it. A branch to the
 * window's own start goes to entry. slot: an 8-byte word near it that holds
 * out->ret, for calls must leave the return address that the program knows.
 * False: something is out of reach from there.
 */
bool window_move(const struct window *w, uint64_t to, uint64_t entry,
		 uint64_t slot, struct moved *out);

#define LOOP_INSNS 40u
#define LOOP_MAX 512u /* bytes, moved */

/* The innermost loop around an instruction: code without calls and events that
 * lies together and comes round by a branch at its end. */
struct loop {
	uint64_t pc;	      /* of that instruction */
	uint64_t start, end;  /* at least WINDOW_JUMP bytes from pc on */
	uint8_t count, first; /* insn[first] is it; 0 = there is no loop */
	uint64_t where[LOOP_INSNS]; /* loop_move has put each there */
	struct code insn[LOOP_INSNS];
};

/* code: what is near pc, at code_pc. */
bool loop_at(struct span code, uint64_t code_pc, uint64_t pc, struct loop *out);
/* Bytes at an address. */
struct moved_code {
	uint64_t to;
	size_t len;
	uint8_t bytes[LOOP_MAX];
};

/*
 * Move it: what is before the instruction at pc ends at entry, where the caller
 * has something to execute before that instruction; from there on it is at
 * rest->to. Who leaves goes on behind the loop as it was. With split the first
 * part is behind the second instead, and jumps to entry. False: something is
 * out of reach.
 */
bool loop_move(struct loop *l, uint64_t entry, bool split,
	       struct moved_code *first, struct moved_code *rest);

#endif
