#ifndef TRACEE_BPF_H
#define TRACEE_BPF_H

/*
 * The seccomp filters that a recorded program installs for itself. The
 * kernel never sees them: an action other than TRACE would hide the call from the
 * tracer (seccomp(2), precedence), so the recorder keeps them and decides at
 * each call what the kernel would have decided.
 */
#include "base/err.h"
#include "base/span.h"
#include <linux/filter.h> /* for those who install one */
#include <linux/seccomp.h>
#include <stdint.h>

struct bpf_chain; /* immutable and shared by all tasks that inherited it */

/* What the kernel would show to a filter (struct seccomp_data). */
struct bpf_call {
	int nr;
	uint64_t ip;
	uint64_t args[6];
};

enum bpf_action {
	BPF_ALLOW,
	BPF_ERRNO,	/* data = errno, at most 4095 */
	BPF_TRAP,	/* SIGSYS with si_errno = data */
	BPF_KILL_THREAD,
	BPF_KILL_PROCESS,
	BPF_NO_TRACER,	/* TRACE without the program's own tracer, USER_NOTIF: ENOSYS */
};

/*
 * A new filter (insns: an array of struct sock_filter) in front of parent (may be NULL),
 * which stays valid. Errors: -EINVAL as the kernel says for a program it
 * would refuse.
 */
int bpf_chain_push(struct bpf_chain *parent, struct span insns,
		   struct bpf_chain **out, struct err *err);
struct bpf_chain *bpf_chain_ref(struct bpf_chain *c);
void bpf_chain_unref(struct bpf_chain *c); /* NULL allowed */

/* Run all filters; the most severe action wins, of equal ones the newest's data. */
enum bpf_action bpf_chain_run(const struct bpf_chain *c,
			      const struct bpf_call *call, uint16_t *out_data);

#endif
