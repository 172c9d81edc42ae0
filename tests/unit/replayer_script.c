#include "tests/unit/replayer_script.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>

void
script_init(struct script *s)
{
	*s = (struct script){ .log = memlog_new() };
}

void
script_free(struct script *s)
{
	buf_free(&s->items);
	memlog_free(s->log);
}

struct event
script_event(enum event_kind kind, uint32_t task)
{
	return (struct event){ .kind = (uint16_t)kind,
			       .task = task,
			       .call = -1,
			       .sp = SCRIPT_SP };
}

void
script_put(struct script *s, struct event *ev)
{
	struct err err = { 0 };

	ev->seq = ++s->seq;
	ev->time_ns = s->seq * 1000;
	ev->payload = buf_span(&s->items);
	cr_assert_eq(sink_put(memlog_sink(s->log), ev, &err), 0, "%s",
		     err.text);
	buf_clear(&s->items);
}

uint64_t
script_pc(const struct script *s, const uint8_t *label)
{
	return CODE_BASE + (uint64_t)(label - s->code);
}

void
script_call(struct script *s, enum event_kind kind, uint32_t task, int nr,
	    const uint8_t *label, int64_t ret, const uint64_t args[6])
{
	struct event ev = script_event(kind, task);

	ev.flags = kind == EV_exit ? 0 : EVF_RUNS;
	ev.call = (int16_t)nr;
	ev.pc = script_pc(s, label);
	ev.ret = ret;
	if (args)
		memcpy(ev.args, args, sizeof(ev.args));
	script_put(s, &ev);
}

static void
put_map(struct script *s, uint64_t start, uint64_t len, uint32_t prot,
	uint32_t flags)
{
	struct map_rec m = { .start = start,
			     .len = len,
			     .prot = prot,
			     .flags = MAP_PRIVATE | flags };

	item_put_map(&s->items, &m);
}

void
script_exec(struct script *s, uint32_t task, uint32_t space,
	    const uint8_t *code, const uint8_t *end)
{
	struct event ev = script_event(EV_exec, task);
	struct regs regs = { .rip = CODE_BASE,
			     .rsp = SCRIPT_SP,
			     .eflags = 0x202,
			     .orig_rax = UINT64_MAX };

	s->code = code;
	put_map(s, CODE_BASE, 0x1000, PROT_READ | PROT_EXEC, 0);
	put_map(s, DATA_BASE, DATA_LEN, PROT_READ | PROT_WRITE, 0);
	put_map(s, LIST_BASE, 0x2000, PROT_READ | PROT_WRITE, 0);
	put_map(s, STACK_TOP - STACK_LEN, STACK_LEN, PROT_READ | PROT_WRITE,
		MAP_GROWSDOWN);
	item_put_mem(&s->items, CODE_BASE, span_of(code, (size_t)(end - code)));
	item_put_bytes(&s->items, ITEM_REGS, 0, span_of(&regs, sizeof(regs)));
	item_put_kv(&s->items, "comm", span_str("script"));
	item_put_kv(&s->items, "exe", span_str("/bin/script"));
	item_put_kv(&s->items, "auxv", span_of("0123456789abcdef", 16));
	ev.args[0] = space;
	ev.args[1] = 1;
	script_put(s, &ev);
}

void
script_begin(struct script *s, const uint8_t *code, const uint8_t *end)
{
	struct event ev = script_event(EV_header, 0);

	script_put(s, &ev);
	ev = script_event(EV_birth, 1);
	ev.args[0] = 1000; /* tid */
	ev.args[1] = 1;	   /* process */
	ev.args[4] = 1;	   /* space */
	ev.args[5] = 1;
	script_put(s, &ev);
	script_exec(s, 1, 2, code, end);
}

void
script_end(struct script *s)
{
	struct event ev = script_event(EV_end, 0);
	struct err err = { 0 };

	ev.args[1] = s->seq;
	script_put(s, &ev);
	cr_assert_eq(memlog_sink(s->log)->ops->flush(memlog_sink(s->log), &err),
		     0);
}

struct replayer *
script_replay(struct script *s, const struct replay_opts *o)
{
	static const struct replay_opts plain;
	struct err err = { 0 };
	struct replayer *r;

	cr_assert_eq(
		replayer_open(&r, memlog_source(s->log), o ? o : &plain, &err),
		0, "%s", err.text);
	return r;
}

int
script_run(struct replayer *r, struct err *err)
{
	int ret;

	while ((ret = replayer_step(r, err)) > 0)
		;
	return ret;
}

/* rbx walks over the table; r12 is kept at 0 so that nothing else differs. */
PROGRAM(lister, "mov $0x680000, %ebx\n"
		"1: mov (%rbx), %rax; mov 8(%rbx), %rdi; mov 16(%rbx), %rsi\n"
		"mov 24(%rbx), %rdx; mov 32(%rbx), %r10; mov 40(%rbx), %r8\n"
		"mov 48(%rbx), %r9; add $56, %rbx; syscall\n"
		"lister_called: jmp 1b");
LABEL(lister_called);

void
script_begin_list(struct script *s, const struct listed_call *calls, size_t n)
{
	struct event ev = script_event(EV_memory, 1);

	script_begin(s, lister, lister_end);
	item_put_mem(&s->items, LIST_BASE, span_of(calls, n * sizeof(*calls)));
	script_put(s, &ev);
}

void
script_listed(struct script *s, enum event_kind kind,
	      const struct listed_call *call, int64_t ret)
{
	script_call(s, kind, 1, (int)call->nr, lister_called, ret, call->args);
}
