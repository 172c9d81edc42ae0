#include "tracee/batch.h"

#include <errno.h>

#include "agent/abi.h"
#include "agent/blob.h"
#include "base/mem.h"
#include "tracee/mem.h"
#include "tracee/ptrace.h"
#include "tracee/remote.h"

#define PAGE 4096u
#define LIST_SIZE ((BATCH_CALLS + 1) * sizeof(struct batch_call) + BATCH_DATA)

_Static_assert(sizeof(struct batch_call) == 64, "the assembler's view");
_Static_assert(LIST_SIZE <= AGENT_ARG_SIZE, "the agent page has room");
_Static_assert(AGENT_BOOT_SIZE + LIST_SIZE <= PAGE, "any page has room");

void
batch_init(struct batch *b, uint64_t at)
{
	b->at = at;
	b->n = b->data_len = 0;
}

void
batch_add(struct batch *b, long nr, uint64_t want, uint64_t a0, uint64_t a1,
	  uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	ASSERT(b->n < BATCH_CALLS);
	b->call[b->n++] = (struct batch_call){
		.nr = nr,
		.arg = { a0, a1, a2, a3, a4, a5 },
		.want = want,
	};
}

uint64_t
batch_put(struct batch *b, const void *p, size_t n)
{
	uint64_t at = b->at + sizeof(b->call) + b->data_len;

	ASSERT(n <= BATCH_DATA - b->data_len);
	memcpy(b->data + b->data_len, p, n);
	b->data_len += (n + 7) & ~(size_t)7;
	return at;
}

/* The bytes of the list, and their number. */
static size_t
put_list(const struct batch *b, uint8_t *out)
{
	static const struct batch_call end = { .nr = -1 };
	size_t n = b->n * sizeof(end);

	memset(out, 0, LIST_SIZE);
	memcpy(out, b->call, n);
	memcpy(out + n, &end, sizeof(end));
	if (b->data_len == 0)
		return n + sizeof(end);
	memcpy(out + sizeof(b->call), b->data, b->data_len);
	return sizeof(b->call) + b->data_len;
}

struct batch_done
batch_done_of(const struct batch *b, const struct regs *regs)
{
	return (struct batch_done){
		.n = (size_t)(regs->rbx - b->at) / sizeof(struct batch_call),
		.last = (int64_t)regs->rax,
	};
}

int
batch_place(pid_t tid, const struct mem *m, const struct batch *b, bool there,
	    struct err *err)
{
	const struct mem own = mem_of_task(m, tid);
	uint8_t list[LIST_SIZE];
	size_t n = put_list(b, list);

	ASSERT(b->at == BATCH_AT);
	if (!there)
		memset(list, 0, n);
	return mem_write_all(&own, b->at, list, n) == 0
		       ? 0
		       : err_set(err, EFAULT, "pastime's page is gone");
}

int
batch_run(pid_t tid, const struct mem *m, const struct batch *b,
	  struct batch_done *out, struct err *err)
{
	struct regs back, from, after;
	int ret = ptrace_get_regs(tid, &back);

	if (ret < 0)
		return err_set(err, E_GONE, "task %d is gone", tid);
	ret = batch_place(tid, m, b, true, err);
	if (ret < 0)
		return ret;
	from = back;
	from.rip = AGENT_BASE + AGENT_BATCH;
	from.rbx = b->at;
	from.orig_rax = UINT64_MAX;
	ret = remote_to_trap(tid, &from, &back, &after, err);
	if (ret < 0)
		return ret;
	*out = batch_done_of(b, &after);
	return batch_place(tid, m, b, false, err);
}

uint64_t
batch_boot_at(uint64_t entry)
{
	return (entry & ~(uint64_t)(PAGE - 1)) + AGENT_BOOT_SIZE;
}

int
batch_boot(pid_t tid, const struct mem *m, const struct batch *b,
	   const struct regs *back, struct batch_done *out, struct err *err)
{
	const uint64_t at = b->at - AGENT_BOOT_SIZE;
	const struct mem own = mem_of_task(m, tid);
	uint8_t code[AGENT_BOOT_SIZE + LIST_SIZE], saved[sizeof(code)];
	struct regs from = *back, after;
	size_t n = AGENT_BOOT_SIZE + put_list(b, code + AGENT_BOOT_SIZE);
	int ret;

	ASSERT(agent_blob_len == AGENT_BOOT_SIZE);
	memcpy(code, agent_blob, AGENT_BOOT_SIZE);
	if (mem_read_all(&own, at, saved, n) < 0 ||
	    mem_write_all(&own, at, code, n) < 0)
		return err_set(err, EFAULT,
			       "no code that can be written at %#llx",
			       (unsigned long long)at);
	from.rip = at + AGENT_BOOT;
	from.orig_rax = UINT64_MAX;
	ret = remote_to_trap(tid, &from, back, &after, err);
	if (mem_write_all(&own, at, saved, n) < 0 && ret == 0)
		ret = err_set(err, EFAULT, "cannot write code at %#llx back",
			      (unsigned long long)at);
	if (ret == 0 && after.rip - AGENT_BASE >= AGENT_SIZE) {
		errno = (int64_t)after.rax < 0 ? -(int)after.rax : EEXIST;
		return err_errno(err, "cannot map pastime's page at %#lx",
				 AGENT_BASE);
	}
	if (ret == 0)
		*out = batch_done_of(b, &after);
	return ret;
}
