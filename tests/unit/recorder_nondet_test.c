#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/recorder_tape.h"
#include "tracee/cpuid.h"
#include "tracee/probe.h"

enum { RDTSC = 1, RDTSCP, CPUID, RDRAND, RDSEED, RDPID, VSYSCALL };

static struct regs
regs_of(const struct event *ev)
{
	struct regs r;
	struct item it;

	cr_assert(item_find(ev->payload, ITEM_REGS, UINT64_MAX, &it));
	cr_assert_eq(it.bytes.len, sizeof(r));
	memcpy(&r, it.bytes.p, sizeof(r));
	return r;
}

static unsigned
patches(const struct tape *t)
{
	unsigned n = 0;

	for (size_t i = 0; i < t->events.len; i++) {
		struct item_reader ir;
		struct item it;

		item_reader_init(&ir, t->events.v[i].payload);
		while (item_next(&ir, &it, NULL) > 0)
			n += it.kind == ITEM_PATCH;
	}
	return n;
}

/* The guest itself checks handlers and masks, which the kernel resets. */
Test(recorder_nondet, the_time_stamp_counter_rises)
{
	const struct event *ev = NULL;
	uint64_t last = 0, seq = 0;
	unsigned count[8] = { 0 };
	struct tape t;

	tape_guest(&t, "rdtsc_loop");
	cr_assert_eq(t.result.status, 0);
	while ((ev = tape_next(&t, seq, EV_insn)) != NULL) {
		struct regs r = regs_of(ev);

		seq = ev->seq;
		count[ev->args[0]]++;
		cr_assert_neq(ev->flags & EVF_RUNS, 0u);
		cr_assert_eq(r.rip, ev->pc + ev->args[1]);
		cr_assert_eq(r.rsp, ev->sp);
		if (ev->args[0] > RDTSCP)
			continue;
		cr_assert_gt((uint64_t)ev->ret, last);
		last = (uint64_t)ev->ret;
		cr_assert_eq(r.rax | r.rdx << 32, last);
		cr_assert(ev->args[0] == RDTSC || r.rcx == 0);
	}
	cr_assert_geq(count[RDTSC], 100u);
	cr_assert_geq(count[RDTSCP], 100u);
	tape_free(&t);
}

static unsigned
readings(const char *const argv[])
{
	const struct event *ev = NULL;
	uint64_t seq = 0;
	unsigned n = 0;
	struct tape t;

	tape_record(&t, argv);
	while ((ev = tape_next(&t, seq, EV_insn)) != NULL) {
		seq = ev->seq;
		n += ev->args[0] == RDTSC;
	}
	tape_free(&t);
	return n;
}

/* glibc's loader reads it for its statistics, which only LD_DEBUG shows. */
Test(recorder_nondet, the_loader_reads_the_counter_when_somebody_wants_to_know)
{
	cr_assert_eq(readings((const char *const[]){ "/bin/true", NULL }), 0u);
	cr_assert_gt(readings((const char *const[]){
			     "/usr/bin/env", "LD_DEBUG=statistics",
			     "LD_DEBUG_OUTPUT=/dev/null", "/bin/true", NULL }),
		     0u);
}

/* Each of its 30 readings is an event, wherever the instruction stands. */
Test(recorder_nondet, the_counter_is_seen_in_code_that_cannot_be_searched)
{
	const struct event *ev = NULL;
	unsigned generated = 0;
	uint64_t seq = 0;
	struct tape t;

	tape_guest(&t, "rdtsc_jit");
	cr_assert_eq(t.result.status, 0);
	while ((ev = tape_next(&t, seq, EV_insn)) != NULL) {
		seq = ev->seq;
		/* rdtsc at the start of a page */
		generated += ev->args[0] == RDTSC && (ev->pc & 4095) == 0;
	}
	cr_assert_eq(generated, 40u);
	tape_free(&t);
}

static void
check_cpuid(bool patched)
{
	struct cpuid_table table;
	const struct event *ev;
	struct tape t;
	struct span v;
	uint64_t seq = 0;
	unsigned n = 0;

	tape_guest(&t, "cpuid_all");
	cr_assert_eq(t.result.status, 0);
	cr_assert(tape_kv(tape_next(&t, 0, EV_header), "cpuid", &v));
	cr_assert_eq(cpuid_load(&table, v, NULL), 0);
	while ((ev = tape_next(&t, seq, EV_insn)) != NULL) {
		struct regs r = regs_of(ev);
		uint32_t want[4];

		seq = ev->seq;
		if (ev->args[0] != CPUID)
			continue;
		n++;
		cpuid_answer(&table, (uint32_t)ev->args[2],
			     (uint32_t)ev->args[3], want);
		cr_assert_eq(r.rax, want[0]);
		cr_assert_eq(r.rbx, want[1]);
		cr_assert_eq(r.rcx, want[2]);
		cr_assert_eq(r.rdx, want[3]);
	}
	cr_assert_gt(n, 100u);
	cr_assert_eq(patches(&t) > 0, patched);
	cpuid_free(&table);
	tape_free(&t);
}

Test(recorder_nondet, cpuid_answers_from_the_table)
{
	setenv("PASTIME_PROBE", "-cpuid_stubs", 1);
	check_cpuid(!probe_ok(PROBE_CPUID));
}

Test(recorder_nondet, cpuid_is_patched_where_it_does_not_fault)
{
	setenv("PASTIME_PROBE", "-cpuid -cpuid_stubs", 1);
	check_cpuid(true);
}

static unsigned
cpuid_events(const char *probe, const char *guest)
{
	const struct event *ev;
	uint64_t seq = 0;
	unsigned n = 0;
	struct tape t;

	setenv("PASTIME_PROBE", probe, 1);
	if (guest)
		tape_guest(&t, guest);
	else
		tape_record(&t, (const char *const[]){ "true", NULL });
	cr_assert_eq(t.result.status, 0);
	while ((ev = tape_next(&t, seq, EV_insn)) != NULL) {
		seq = ev->seq;
		n += ev->args[0] == CPUID;
	}
	tape_free(&t);
	return n;
}

/* The guest compares all leaves with those of its forks and of its next image.
 */
Test(recorder_nondet, cpuid_is_answered_in_the_program_where_there_is_room)
{
	cr_assert_lt(cpuid_events("-cpuid", "cpuid_all"),
		     cpuid_events("-cpuid -cpuid_stubs", "cpuid_all") / 2);
	cr_assert_lt(cpuid_events("-cpuid", NULL),
		     cpuid_events("-cpuid -cpuid_stubs", NULL) / 2);
}

/* The guest makes traps and faults of its own besides. */
Test(recorder_nondet, hardware_random_numbers_are_events)
{
	const struct event *ev;
	unsigned count[8] = { 0 }, handled = 0;
	uint64_t seq = 0;
	struct tape t;

	tape_guest(&t, "trap_insns");
	cr_assert_eq(t.result.status, 0);
	while ((ev = tape_next(&t, seq, EV_insn)) != NULL) {
		seq = ev->seq;
		count[ev->args[0]]++;
	}
	cr_assert_eq(count[RDRAND], 3u);
	cr_assert_eq(count[RDSEED], 2u);
	cr_assert_eq(count[RDPID], 1u);
	for (seq = 0; (ev = tape_next(&t, seq, EV_signal)) != NULL;
	     seq = ev->seq)
		handled += ev->args[3] == 1;
	/* int3 twice, hlt, ud2 */
	cr_assert_eq(handled, 4u);
	tape_free(&t);
}

/* ld.so must not save registers by XSAVE, whose header varies. */
Test(recorder_nondet, the_size_of_the_xsave_area_is_hidden)
{
	const struct event *ev;
	uint64_t seq = 0;
	unsigned asked = 0;
	struct tape t;

	setenv("PASTIME_PROBE", "-cpuid_stubs", 1);
	tape_record(&t, (const char *const[]){ "true", NULL });
	while ((ev = tape_next(&t, seq, EV_insn)) != NULL) {
		seq = ev->seq;
		if (ev->args[0] != CPUID || ev->args[2] != 0xd ||
		    ev->args[3] != 0)
			continue;
		asked++;
		cr_assert_eq(regs_of(ev).rbx, 0u);
	}
	cr_assert_geq(asked, 1u);
	tape_free(&t);
}

Test(recorder_nondet, the_vsyscall_page_answers)
{
	const struct event *ev;
	uint64_t seq = 0;
	unsigned n = 0;
	struct tape t;

	tape_guest(&t, "vdso_direct");
	cr_assert_eq(t.result.status, 0);
	while ((ev = tape_next(&t, seq, EV_insn)) != NULL) {
		seq = ev->seq;
		if (ev->args[0] != VSYSCALL)
			continue;
		n++;
		cr_assert_eq(ev->pc & ~0xfffull, 0xffffffffff600000ull);
		cr_assert_eq(regs_of(ev).rax, (uint64_t)ev->ret);
		cr_assert_eq(regs_of(ev).rsp, ev->sp + 8);
	}
	cr_assert_geq(n, 1u);
	tape_free(&t);
}
