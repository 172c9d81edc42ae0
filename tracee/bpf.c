#include "tracee/bpf.h"

#include "base/mem.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>

struct bpf_chain {
	struct bpf_chain *parent;
	unsigned refs;
	size_t n;
	struct sock_filter insns[];
};

/* The subset of classic BPF that seccomp accepts (kernel/seccomp.c,
 * seccomp_check_filter): no packet loads but of seccomp_data, no bytes. */
static bool
code_allowed(uint16_t code)
{
	static const uint16_t ok[] = {
		BPF_LD | BPF_W | BPF_ABS,   BPF_LD | BPF_W | BPF_LEN,
		BPF_LDX | BPF_W | BPF_LEN,  BPF_RET | BPF_K,
		BPF_RET | BPF_A,	    BPF_ALU | BPF_ADD | BPF_K,
		BPF_ALU | BPF_ADD | BPF_X,  BPF_ALU | BPF_SUB | BPF_K,
		BPF_ALU | BPF_SUB | BPF_X,  BPF_ALU | BPF_MUL | BPF_K,
		BPF_ALU | BPF_MUL | BPF_X,  BPF_ALU | BPF_DIV | BPF_K,
		BPF_ALU | BPF_DIV | BPF_X,  BPF_ALU | BPF_AND | BPF_K,
		BPF_ALU | BPF_AND | BPF_X,  BPF_ALU | BPF_OR | BPF_K,
		BPF_ALU | BPF_OR | BPF_X,   BPF_ALU | BPF_XOR | BPF_K,
		BPF_ALU | BPF_XOR | BPF_X,  BPF_ALU | BPF_LSH | BPF_K,
		BPF_ALU | BPF_LSH | BPF_X,  BPF_ALU | BPF_RSH | BPF_K,
		BPF_ALU | BPF_RSH | BPF_X,  BPF_ALU | BPF_NEG,
		BPF_LD | BPF_IMM,	    BPF_LDX | BPF_IMM,
		BPF_MISC | BPF_TAX,	    BPF_MISC | BPF_TXA,
		BPF_LD | BPF_MEM,	    BPF_LDX | BPF_MEM,
		BPF_ST,			    BPF_STX,
		BPF_JMP | BPF_JA,	    BPF_JMP | BPF_JEQ | BPF_K,
		BPF_JMP | BPF_JEQ | BPF_X,  BPF_JMP | BPF_JGE | BPF_K,
		BPF_JMP | BPF_JGE | BPF_X,  BPF_JMP | BPF_JGT | BPF_K,
		BPF_JMP | BPF_JGT | BPF_X,  BPF_JMP | BPF_JSET | BPF_K,
		BPF_JMP | BPF_JSET | BPF_X,
	};

	for (size_t i = 0; i < ARRAY_LEN(ok); i++)
		if (ok[i] == code)
			return true;
	return false;
}

static bool
uses_memory(uint16_t code)
{
	return code == (BPF_LD | BPF_MEM) || code == (BPF_LDX | BPF_MEM) ||
	       code == BPF_ST || code == BPF_STX;
}

/* What the kernel checks of one instruction: jumps stay inside and go
 * forwards, loads stay inside seccomp_data, no constant division by zero. */
static bool
insn_valid(const struct sock_filter *f, size_t at, size_t n)
{
	size_t left = n - at - 1;

	if (!code_allowed(f->code))
		return false;
	if (BPF_CLASS(f->code) == BPF_JMP)
		return BPF_OP(f->code) == BPF_JA ?
			       f->k < left :
			       f->jt < left && f->jf < left;
	if (f->code == (BPF_LD | BPF_W | BPF_ABS))
		return f->k < sizeof(struct seccomp_data) && !(f->k & 3);
	if (uses_memory(f->code))
		return f->k < BPF_MEMWORDS;
	if (f->code == (BPF_ALU | BPF_DIV | BPF_K))
		return f->k != 0;
	if (f->code == (BPF_ALU | BPF_LSH | BPF_K) ||
	    f->code == (BPF_ALU | BPF_RSH | BPF_K))
		return f->k < 32;
	return true;
}

int
bpf_chain_push(struct bpf_chain *parent, struct span insns,
	       struct bpf_chain **out, struct err *err)
{
	size_t n = insns.len / sizeof(struct sock_filter);
	struct bpf_chain *c;

	if (!n || n > BPF_MAXINSNS || insns.len % sizeof(struct sock_filter))
		return err_set(err, EINVAL, "a filter of %zu bytes", insns.len);
	c = mem_zalloc(sizeof(*c) + insns.len);
	memcpy(c->insns, insns.p, insns.len);
	c->n = n;
	c->refs = 1;
	for (size_t i = 0; i < n; i++)
		if (!insn_valid(&c->insns[i], i, n)) {
			mem_free(c);
			return err_set(err, EINVAL,
				       "filter instruction %zu is not valid", i);
		}
	if (BPF_CLASS(c->insns[n - 1].code) != BPF_RET) {
		mem_free(c);
		return err_set(err, EINVAL, "the filter does not end in RET");
	}
	c->parent = bpf_chain_ref(parent);
	*out = c;
	return 0;
}

struct bpf_chain *
bpf_chain_ref(struct bpf_chain *c)
{
	if (c)
		c->refs++;
	return c;
}

void
bpf_chain_unref(struct bpf_chain *c)
{
	while (c && !--c->refs) {
		struct bpf_chain *parent = c->parent;

		mem_free(c);
		c = parent;
	}
}

static uint32_t
alu(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_ADD: return a + b;
	case BPF_SUB: return a - b;
	case BPF_MUL: return a * b;
	case BPF_DIV: return b ? a / b : 0;
	case BPF_AND: return a & b;
	case BPF_OR: return a | b;
	case BPF_XOR: return a ^ b;
	case BPF_LSH: return b < 32 ? a << b : 0;
	case BPF_RSH: return b < 32 ? a >> b : 0;
	default: return -a; /* BPF_NEG */
	}
}

static bool
test(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_JEQ: return a == b;
	case BPF_JGE: return a >= b;
	case BPF_JGT: return a > b;
	default: return (a & b) != 0; /* BPF_JSET */
	}
}

/* Validation has bounded every jump, load and memory word. */
static uint32_t
run_one(const struct bpf_chain *c, const struct seccomp_data *d)
{
	uint32_t a = 0, x = 0, m[BPF_MEMWORDS] = { 0 };

	for (size_t pc = 0;; pc++) {
		const struct sock_filter *f = &c->insns[pc];
		uint32_t src = BPF_SRC(f->code) == BPF_X ? x : f->k;
		uint32_t v = f->k;

		switch (BPF_CLASS(f->code)) {
		case BPF_RET:
			return BPF_RVAL(f->code) == BPF_A ? a : f->k;
		case BPF_LD:
		case BPF_LDX:
			if (BPF_MODE(f->code) == BPF_ABS)
				memcpy(&v, (const char *)d + f->k, sizeof(v));
			else if (BPF_MODE(f->code) == BPF_LEN)
				v = sizeof(*d);
			else if (BPF_MODE(f->code) == BPF_MEM)
				v = m[f->k];
			*(BPF_CLASS(f->code) == BPF_LD ? &a : &x) = v;
			break;
		case BPF_ST:
			m[f->k] = a;
			break;
		case BPF_STX:
			m[f->k] = x;
			break;
		case BPF_ALU:
			a = alu(BPF_OP(f->code), a, src);
			break;
		case BPF_JMP:
			if (BPF_OP(f->code) == BPF_JA)
				pc += f->k;
			else
				pc += test(BPF_OP(f->code), a, src) ? f->jt :
								      f->jf;
			break;
		default: /* BPF_MISC */
			if (BPF_MISCOP(f->code) == BPF_TAX)
				x = a;
			else
				a = x;
			break;
		}
	}
}

static enum bpf_action
action_of(uint32_t ret)
{
	switch (ret & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
		return BPF_ALLOW;
	case SECCOMP_RET_ERRNO:
		return BPF_ERRNO;
	case SECCOMP_RET_TRAP:
		return BPF_TRAP;
	case SECCOMP_RET_KILL_THREAD:
		return BPF_KILL_THREAD;
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_USER_NOTIF:
		return BPF_NO_TRACER;
	default: /* KILL_PROCESS, and values that no kernel knows */
		return BPF_KILL_PROCESS;
	}
}

enum bpf_action
bpf_chain_run(const struct bpf_chain *c, const struct bpf_call *call,
	      uint16_t *out_data)
{
	struct seccomp_data d = { .nr = call->nr,
				  .arch = AUDIT_ARCH_X86_64,
				  .instruction_pointer = call->ip };
	uint32_t worst = SECCOMP_RET_ALLOW;

	memcpy(d.args, call->args, sizeof(d.args));
	for (; c; c = c->parent) {
		uint32_t ret = run_one(c, &d);

		/* as signed numbers, KILL_PROCESS < KILL_THREAD < ... < ALLOW */
		if ((int32_t)(ret & SECCOMP_RET_ACTION_FULL) <
		    (int32_t)(worst & SECCOMP_RET_ACTION_FULL))
			worst = ret;
	}
	*out_data = worst & SECCOMP_RET_DATA;
	if (action_of(worst) == BPF_ERRNO && *out_data > 4095)
		*out_data = 4095;
	return action_of(worst);
}
