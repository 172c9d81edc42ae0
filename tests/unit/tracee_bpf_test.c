#include "tracee/bpf.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

static struct bpf_chain *
push(struct bpf_chain *parent, const struct sock_filter *f, size_t n)
{
	struct bpf_chain *c = NULL;

	cr_assert_eq(bpf_chain_push(parent, span_of(f, n * sizeof(*f)), &c,
				    NULL), 0);
	return c;
}

/* A filter that answers action for call nr and ALLOW for the rest. */
static struct bpf_chain *
only(struct bpf_chain *parent, int nr, uint32_t action)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return push(parent, f, 4);
}

static enum bpf_action
run(const struct bpf_chain *c, int nr, uint16_t *data)
{
	struct bpf_call call = { .nr = nr, .args = { 10, 20 } };

	return bpf_chain_run(c, &call, data);
}

Test(tracee_bpf, the_most_severe_filter_wins)
{
	struct bpf_chain *a = only(NULL, 1, SECCOMP_RET_ERRNO | 7);
	struct bpf_chain *b = only(a, 1, SECCOMP_RET_TRAP | 9);
	struct bpf_chain *c = only(b, 2, SECCOMP_RET_KILL_PROCESS);
	uint16_t data;

	cr_assert_eq(run(NULL, 1, &data), BPF_ALLOW);
	cr_assert_eq(run(a, 1, &data), BPF_ERRNO);
	cr_assert_eq(data, 7);
	cr_assert_eq(run(c, 1, &data), BPF_TRAP);
	cr_assert_eq(data, 9);
	cr_assert_eq(run(c, 2, &data), BPF_KILL_PROCESS);
	cr_assert_eq(run(c, 3, &data), BPF_ALLOW);
	bpf_chain_unref(a);
	bpf_chain_unref(b);
	bpf_chain_unref(c);
}

Test(tracee_bpf, arithmetic_memory_and_jumps_work)
{
	/* errno = (low half of args[1] * 3 - args[0]) >> 1, by way of memory */
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[0])),
		BPF_STMT(BPF_ST, 3),
		BPF_STMT(BPF_LDX | BPF_MEM, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[1])),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 3),
		BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 1),
		BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL),
		BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct bpf_chain *c = push(NULL, f, 11);
	uint16_t data;

	cr_assert_eq(run(c, 5, &data), BPF_ERRNO);
	cr_assert_eq(data, 25);
	bpf_chain_unref(c);
}

Test(tracee_bpf, refuses_what_the_kernel_refuses)
{
	struct sock_filter bad[][2] = {
		/* no RET at the end */
		{ BPF_STMT(BPF_RET | BPF_K, 0), BPF_STMT(BPF_LD | BPF_IMM, 0) },
		/* jump out of the program */
		{ BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0), BPF_STMT(BPF_RET | BPF_K, 0) },
		/* unaligned and outside loads, a byte load, division by zero */
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), BPF_STMT(BPF_RET | BPF_K, 0) },
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), BPF_STMT(BPF_RET | BPF_K, 0) },
		{ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), BPF_STMT(BPF_RET | BPF_K, 0) },
		{ BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, 0) },
		{ BPF_STMT(BPF_ST, 16), BPF_STMT(BPF_RET | BPF_K, 0) },
	};
	struct bpf_chain *c = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(bpf_chain_push(NULL, span_of(bad[i], sizeof(bad[i])),
					    &c, NULL), -EINVAL, "case %zu", i);
	cr_assert_eq(bpf_chain_push(NULL, span_of(bad, 0), &c, NULL), -EINVAL);
}
