#include "tracee/point.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/abi.h"
#include "base/arena.h"
#include "base/mem.h"
#include "tracee/deadline.h"
#include "tracee/filter.h"
#include "tracee/maps.h"
#include "tracee/memsum.h"
#include "tracee/ptrace.h"
#include "tracee/stop.h"

#define MS 1000000u

/* ---- the stored form */

static struct point
sample_point(void)
{
	struct point p = {
		.way = POINT_JUMP,
		.code_len = 3,
		.code = { 0x48, 0xff, 0xc8 },
		.complete = true,
		.cpu_ns = 12345678,
		.visits = 99,
		.anchors = { 0x401000, 0x402000 },
	};
	uint64_t page[512] = { [3] = 7, [4] = 8, [511] = 9 };

	p.regs.rip = 0x401234;
	p.regs.rsp = 0x7ffffffde000;
	p.regs.r15 = UINT64_MAX;
	memset(buf_grow(&p.xstate, 832), 0, 832);
	p.xstate.p[600] = 1;
	vec_push(&p.ranges,
		 ((struct point_range){ .addr = 0x7ffffffde000, .len = 4096 }));
	vec_push(&p.ranges,
		 ((struct point_range){
			 .addr = 0x10000, .len = 4096, .at = 4096 }));
	buf_put(&p.bytes, page, sizeof(page));
	page[0] = 1;
	buf_put(&p.bytes, page, sizeof(page));
	vec_push(&p.sums, ((struct point_sum){ 0x10000, 0x1234, 16 }));
	vec_push(&p.sums, ((struct point_sum){ 0x7ffffffde000, 0x99, 1 }));
	return p;
}

Test(tracee_point, a_point_is_what_it_was_when_it_is_decoded)
{
	struct point p = sample_point(), q;
	struct buf b = { 0 };

	point_encode(&p, &b);
	cr_assert_eq(point_decode(buf_span(&b), &q, NULL), 0);
	cr_assert_eq(memcmp(&q.regs, &p.regs, sizeof(p.regs)), 0);
	cr_assert_eq(q.way, p.way);
	cr_assert_eq(q.complete, true);
	cr_assert_eq(q.cpu_ns, p.cpu_ns);
	cr_assert_eq(q.visits, p.visits);
	cr_assert_eq(memcmp(q.code, p.code, sizeof(p.code)), 0);
	cr_assert_eq(memcmp(q.anchors, p.anchors, sizeof(p.anchors)), 0);
	cr_assert(span_eq(buf_span(&q.xstate), buf_span(&p.xstate)));
	cr_assert(span_eq(buf_span(&q.bytes), buf_span(&p.bytes)));
	cr_assert_eq(q.ranges.len, 2);
	cr_assert_eq(q.ranges.v[1].addr, 0x10000);
	cr_assert_eq(q.ranges.v[1].at, 4096);
	cr_assert_eq(q.sums.len, 2);
	cr_assert_eq(q.sums.v[0].hash, 0x1234);
	cr_assert_eq(q.sums.v[1].addr, 0x7ffffffde000);
	point_free(&p);
	point_free(&q);
	buf_free(&b);
}

Test(tracee_point, a_point_that_is_cut_off_is_refused)
{
	struct point p = sample_point(), q;
	struct buf b = { 0 };

	point_encode(&p, &b);
	for (size_t n = 0; n < b.len; n++)
		cr_assert_eq(point_decode(span_of(b.p, n), &q, NULL), -E_FORMAT,
			     "%zu of %zu bytes", n, b.len);
	buf_u8(&b, 0);
	cr_assert_eq(point_decode(buf_span(&b), &q, NULL), -E_FORMAT,
		     "a byte too many");
	point_free(&p);
	buf_free(&b);
}

/* Ranges in bounds, and what is decoded is what would be encoded. */
static void
check_decoded(struct point *q)
{
	struct buf b = { 0 };
	struct point again;

	cr_assert(q->way == POINT_JUMP || q->way == POINT_TRAP);
	cr_assert_leq(q->code_len, POINT_CODE);
	for (size_t i = 0; i < q->ranges.len; i++) {
		const struct point_range *r = &q->ranges.v[i];

		cr_assert_leq((size_t)r->at + r->len, q->bytes.len);
		cr_assert_eq(r->len % 8, 0);
	}
	for (size_t i = 0; i < q->sums.len; i++)
		cr_assert(q->sums.v[i].pages > 0 &&
			  q->sums.v[i].pages <= POINT_SUM_PAGES);
	point_encode(q, &b);
	cr_assert_eq(point_decode(buf_span(&b), &again, NULL), 0);
	point_free(&again);
	buf_free(&b);
}

Test(tracee_point, damaged_points_are_refused_or_harmless)
{
	struct point p = sample_point(), q;
	struct buf b = { 0 }, bad = { 0 };
	unsigned seed = 7, ok = 0;

	point_encode(&p, &b);
	for (unsigned i = 0; i < 20000; i++) {
		buf_clear(&bad);
		buf_put(&bad, b.p, b.len);
		for (int k = rand_r(&seed) % 4; k >= 0; k--)
			bad.p[(size_t)rand_r(&seed) % bad.len] =
				(uint8_t)rand_r(&seed);
		if (point_decode(buf_span(&bad), &q, NULL) < 0)
			continue;
		check_decoded(&q);
		point_free(&q);
		ok++;
	}
	cr_assert_gt(ok, 0); /* a register's value is nobody's business */
	point_free(&p);
	buf_free(&b);
	buf_free(&bad);
}

/* ---- finding */

/* On one CPU: the kernel writes its number into memory (rseq), and another one
 * would be another state. */
static void
pin(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	cr_assert_eq(sched_setaffinity(0, sizeof(set), &set), 0);
}

/* As recorded ones are: traced, filtered, with the agent page, behind its first
 * call. */
static struct point_run
start(void (*body)(void))
{
	static const uint8_t gadget[] = { 0x0f, 0x05, 0xcc };
	struct point_run run = { 0 };
	struct stop st;
	int go[2];

	pin();
	cr_assert_eq(pipe(go), 0);
	run.tid = fork();
	if (run.tid == 0) {
		char c;
		uint8_t *p = mmap(
			(void *)AGENT_BASE, AGENT_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

		memcpy(p, gadget, sizeof(gadget));
		mprotect(p, AGENT_SIZE, PROT_READ | PROT_EXEC);
		close(go[1]);
		if (read(go[0], &c, 1) != 0)
			_exit(99);
		filter_install(1, NULL);
		syscall(SYS_getppid);
		body();
		_exit(0);
	}
	cr_assert_eq(ptrace_seize(run.tid, NULL), 0);
	close(go[0]);
	close(go[1]);
	cr_assert_eq(stop_wait_for(run.tid, &st), 0);
	cr_assert_eq(st.kind, STOP_SECCOMP);
	cr_assert_eq(ptrace_resume(run.tid, PTRACE_SYSCALL, 0), 0);
	cr_assert_eq(stop_wait_for(run.tid, &st), 0);
	cr_assert_eq(st.kind, STOP_SYSCALL);
	cr_assert_eq(mem_open(&run.mem, run.tid, NULL), 0);
	return run;
}

/* Let it compute for that long. */
static void
compute(const struct point_run *run, uint64_t ns)
{
	uint64_t until = cputime_ns(run->tid) + ns;
	struct stop st;

	cr_assert_eq(ptrace_cont(run->tid), 0);
	while (cputime_ns(run->tid) < until)
		sched_yield();
	cr_assert_eq(ptrace_interrupt(run->tid), 0);
	cr_assert_eq(stop_wait_for(run->tid, &st), 0);
	cr_assert_eq(st.kind, STOP_EVENT_STOP, "%s", stop_name(st.kind));
}

static void
take(const struct point_run *run, uint64_t ns, bool hash, struct point *out)
{
	uint64_t begin = cputime_ns(run->tid);
	struct point_taking c = { 0 };
	struct dirty *d;
	int ret;

	cr_assert_eq(dirty_open(&d, run->tid, &run->mem, hash, NULL), 0);
	compute(run, ns);
	ret = point_hot(&c, run->tid, &run->mem, d, NULL);
	cr_assert(ret == 0 || ret == POINT_READY);
	do {
		compute(run, POINT_HOT_NS);
		ret = point_take(&c, cputime_ns(run->tid) - begin, out, NULL);
	} while (ret == POINT_AGAIN);
	cr_assert_eq(ret, POINT_TAKEN);
	dirty_close(d);
}

static uint64_t
memory_hash(const struct point_run *run)
{
	struct arena a = { 0 };
	struct memsum_range *large; /* of a sanitizer */
	struct memsum *v;
	uint64_t sum;
	size_t n, n_large;

	cr_assert_eq(memsum_large(run->tid, &a, &large, &n_large, NULL), 0);
	cr_assert_eq(memsum_space(run->tid, &run->mem, large, n_large, &a, &v,
				  &n, NULL),
		     0);
	sum = memsum_total(v, n);
	arena_free(&a);
	return sum;
}

static int
copy_op(void *arg, const struct point_run *from, struct point_run *out,
	struct err *err)
{
	return point_fork(from, out, err);
}

static void
drop_op(void *arg, struct point_run *run)
{
	point_kill(run);
}

static const struct point_ops ops = { .copy = copy_op, .drop = drop_op };

/* Take a point of body, and find it from the begin. */
static struct point_found
take_and_find(void (*body)(void), uint64_t ns, bool hash, bool trap)
{
	const struct point_search s = { .ops = &ops,
					.trap = trap,
					.limit_ns = 60000ull * MS };
	struct point_run run = start(body), begin;
	struct point_found f;
	const char *what = "nothing";
	struct point p;

	cr_assert_eq(point_fork(&run, &begin, NULL), 0);
	take(&run, ns, hash, &p);
	cr_assert(p.complete);
	cr_assert_eq(point_find(&begin, &p, &s, &f, NULL), 1, "miss %d",
		     (int)f.miss);
	cr_assert_eq(point_compare(&begin, &p, &what, NULL), 1, "%s", what);
	cr_assert_eq(memory_hash(&begin), memory_hash(&run));
	point_free(&p);
	point_kill(&begin);
	point_kill(&run);
	return f;
}

static volatile unsigned long counter;

/* Whatever the compiler, and without what a sanitizer adds. */
static void
count_in_memory(void)
{
	__asm__ volatile("1: mov %0, %%rax; inc %%rax; mov %%rax, %0; jmp 1b"
			 : "+m"(counter)
			 :
			 : "rax");
}

static void
count_down(void)
{
	unsigned long n = 1ul << 60;

	__asm__ volatile("1: dec %0; jnz 1b" : "+r"(n));
}

static void
turn_slowly(void)
{
	for (;;) {
		for (volatile int i = 0; i < 20000; i++)
			continue;
		counter++;
	}
}

/* Inherited by the child. */
static uint8_t *code;

/* Code that is written first, then runs. */
static void
run_written_code(void)
{
	/* 1: incq (%rdi); jmp 1b; with room behind it */
	static const uint8_t loop[] = { 0x48, 0xff, 0x07, 0xeb, 0xfb,
					0x90, 0x90, 0x90, 0x90, 0x90 };

	memcpy(code, loop, sizeof(loop));
	((void (*)(volatile unsigned long *))(void *)code)(&counter);
}

Test(tracee_point, a_counter_in_memory_is_found_at_its_value)
{
	struct point_found f =
		take_and_find(count_in_memory, 3 * MS, false, false);

	cr_assert(f.jumped && !f.trapped);
}

Test(tracee_point, it_runs_ahead_in_a_tight_loop)
{
	struct point_found f = { 0 };

	/* When the machine is busy it may find the point before it sees that
	 * the loop is tight. */
	for (int i = 0; i < 10 && !f.ran_ahead; i++)
		f = take_and_find(count_down, 60 * MS, false, false);
	cr_assert(f.ran_ahead);
	cr_assert_gt(f.copies, 0);
}

Test(tracee_point, pages_told_by_hashes_do_as_well)
{
	take_and_find(count_in_memory, 3 * MS, true, false);
}

Test(tracee_point, a_breakpoint_finds_the_same)
{
	struct point_found f = take_and_find(turn_slowly, 400000, false, true);

	cr_assert_eq(f.miss, POINT_FOUND);
}

Test(tracee_point, code_that_is_written_in_the_interval)
{
	struct point_found f;

	code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(code, MAP_FAILED);
	f = take_and_find(run_written_code, 8 * MS, false, false);
	/* First a breakpoint, then a jump from a copy on. */
	cr_assert(f.jumped && !f.trapped);
	cr_assert_gt(f.copies, 0);
}

static volatile unsigned long code_sum;

/* Every few milliseconds it reads its own code, where the jump stands. */
static void
read_own_code(void)
{
	__asm__ volatile("1: mov %0, %%rax; inc %%rax; mov %%rax, %0\n"
			 "	test $0x3fffff, %%eax; jnz 1b\n"
			 "	mov 1b(%%rip), %%rbx; add %%rbx, %1\n"
			 "	mov 1b+8(%%rip), %%rbx; add %%rbx, %1\n"
			 "	mov 1b+16(%%rip), %%rbx; add %%rbx, %1\n"
			 "	jmp 1b"
			 : "+m"(counter), "+m"(code_sum)
			 :
			 : "rax", "rbx");
}

Test(tracee_point, code_that_is_read_is_no_reason_to_come_again)
{
	struct point_found f =
		take_and_find(read_own_code, 60 * MS, false, false);

	cr_assert(f.jumped);
}

/* More than is watched; 40 pages of it exist, below all others, and not where
 * sanitizers have their own. */
#define MUCH (32ull << 30)
#define MUCH_AT 0x200000000000

Test(tracee_point, pages_that_were_written_come_before_those_that_may_have_been)
{
	uint64_t page = (uint64_t)(uintptr_t)&counter & ~4095ull;
	uint8_t *much = mmap((void *)MUCH_AT, MUCH, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
				     MAP_FIXED_NOREPLACE,
			     -1, 0);
	struct point_run run;
	struct point p;
	bool kept = false;

	if (!dirty_probe())
		cr_skip_test("Linux before 6.7");
	cr_assert_neq(much, MAP_FAILED);
	for (size_t i = 0; i < 40; i++)
		much[i * 2 * 4096] = 1;
	run = start(count_in_memory);
	take(&run, 2 * MS, false, &p);
	for (size_t i = 0; i < p.ranges.len; i++)
		kept |= p.ranges.v[i].addr == page;
	cr_assert(kept);
	point_free(&p);
	point_kill(&run);
}

static int
find_other(const struct point *p, struct point_run *begin, uint64_t limit_ns,
	   struct point_found *f)
{
	const struct point_search s = { .limit_ns = limit_ns };

	return point_find(begin, p, &s, f, NULL);
}

Test(tracee_point, what_is_not_there_is_not_found)
{
	struct point_run run = start(count_in_memory), begin, second;
	struct point_found f;
	struct point p;

	cr_assert_eq(point_fork(&run, &begin, NULL), 0);
	cr_assert_eq(point_fork(&run, &second, NULL), 0);
	take(&run, 2 * MS, false, &p);
	p.regs.r12 ^= 1;
	cr_assert_eq(find_other(&p, &begin, 20 * MS, &f), 0);
	cr_assert_eq(f.miss, POINT_MISS_LIMIT);
	p.regs.r12 ^= 1;
	p.code[0] ^= 0xff;
	cr_assert_eq(find_other(&p, &second, 20 * MS, &f), 0);
	cr_assert_eq(f.miss, POINT_MISS_CODE);
	point_free(&p);
	point_kill(&begin);
	point_kill(&second);
	point_kill(&run);
}

static void
end_soon(void)
{
	__asm__ volatile("1: mov %0, %%rax; inc %%rax; mov %%rax, %0;"
			 " cmp $30000000, %%rax; jb 1b"
			 : "+m"(counter)
			 :
			 : "rax");
	syscall(SYS_getppid);
}

Test(tracee_point, an_event_ends_the_search)
{
	struct point_run run = start(end_soon), begin;
	struct point_found f;
	struct point p;

	cr_assert_eq(point_fork(&run, &begin, NULL), 0);
	take(&run, MS, false, &p);
	p.regs.r12 ^= 1;
	cr_assert_eq(find_other(&p, &begin, 60000ull * MS, &f), 0);
	cr_assert_eq(f.miss, POINT_MISS_EVENT);
	point_free(&p);
	point_kill(&begin);
	point_kill(&run);
}

Test(tracee_point, a_visit_is_reached_by_its_number)
{
	struct point_run run = start(turn_slowly), begin, again;
	struct point_found f, g;
	struct regs a, b;
	struct point p;

	cr_assert_eq(point_fork(&run, &begin, NULL), 0);
	cr_assert_eq(point_fork(&run, &again, NULL), 0);
	take(&run, MS, false, &p);
	cr_assert_eq(point_find(&begin, &p,
				&(struct point_search){ .count = true }, &f,
				NULL),
		     1);
	cr_assert_gt(f.visits, 0);
	cr_assert_eq(point_goto(&again, p.regs.rip, f.visits, 60000ull * MS, &g,
				NULL),
		     1);
	cr_assert_eq(ptrace_get_regs(begin.tid, &a), 0);
	cr_assert_eq(ptrace_get_regs(again.tid, &b), 0);
	cr_assert_eq(a.rip, b.rip);
	cr_assert_eq(a.rsp, b.rsp);
	cr_assert_eq(memory_hash(&begin), memory_hash(&again));
	point_free(&p);
	point_kill(&begin);
	point_kill(&again);
	point_kill(&run);
}

/* ---- written pages */

Test(tracee_dirty, sets_are_joined)
{
	struct dirty_set a = { 0 }, b = { 0 }, both;

	vec_push(&a.runs, ((struct dirty_run){ 0x1000, 2 }));
	vec_push(&a.runs, ((struct dirty_run){ 0x9000, 1 }));
	a.pages = 3;
	vec_push(&b.runs, ((struct dirty_run){ 0x2000, 2 }));
	vec_push(&b.runs, ((struct dirty_run){ 0x8000, 1 }));
	b.pages = 3;
	dirty_set_join(&a, &b, &both);
	cr_assert_eq(both.pages, 5);
	cr_assert_eq(both.runs.len, 2);
	cr_assert_eq(both.runs.v[0].addr, 0x1000);
	cr_assert_eq(both.runs.v[0].pages, 3);
	cr_assert_eq(both.runs.v[1].addr, 0x8000);
	cr_assert_eq(both.runs.v[1].pages, 2);
	dirty_set_free(&a);
	dirty_set_free(&b);
	dirty_set_free(&both);
}

static bool
holds(const struct dirty_set *s, uint64_t addr)
{
	for (size_t i = 0; i < s->runs.len; i++)
		if (addr - s->runs.v[i].addr < s->runs.v[i].pages * DIRTY_PAGE)
			return true;
	return false;
}

static char pages[64 * DIRTY_PAGE] __attribute__((aligned(4096)));

static void
write_a_page(void)
{
	for (;;)
		((volatile char *)pages)[20 * DIRTY_PAGE]++;
}

static void
look(const struct point_run *run, struct dirty *d, struct dirty_set *out)
{
	struct arena a = { 0 };
	struct maps maps;

	cr_assert_eq(maps_read(run->tid, &a, &maps, NULL), 0);
	cr_assert_eq(dirty_look(d, &maps, out, NULL), 0);
	arena_free(&a);
}

static void
watch(bool hash)
{
	uint64_t page = (uint64_t)(uintptr_t)pages + 20 * DIRTY_PAGE;
	struct point_run run;
	struct dirty_set s;
	struct dirty *d;

	memset(pages, 1, sizeof(pages));
	run = start(write_a_page);
	cr_assert_eq(dirty_open(&d, run.tid, &run.mem, hash, NULL), 0);
	look(&run, d, &s); /* all that there is */
	cr_assert(holds(&s, page) && holds(&s, page + 9 * DIRTY_PAGE));
	dirty_set_free(&s);
	look(&run, d, &s); /* it did not run */
	cr_assert(!holds(&s, page));
	dirty_set_free(&s);
	compute(&run, MS);
	look(&run, d, &s);
	cr_assert(holds(&s, page) && !holds(&s, page + DIRTY_PAGE));
	dirty_put_back(d, &s);
	dirty_set_free(&s);
	look(&run, d, &s); /* told again */
	cr_assert(holds(&s, page));
	dirty_set_free(&s);
	dirty_close(d);
	point_kill(&run);
}

#define MANY 1200u

static char many[MANY * DIRTY_PAGE] __attribute__((aligned(4096)));

static void
write_many_pages(void)
{
	for (;;)
		for (size_t i = 0; i < MANY; i++)
			((volatile char *)many)[i * DIRTY_PAGE]++;
}

Test(tracee_dirty, pages_that_are_always_written_are_told_until_they_are_not)
{
	uint64_t page = (uint64_t)(uintptr_t)many + 20 * DIRTY_PAGE;
	struct point_run run;
	struct dirty_set s;
	struct dirty *d;
	unsigned told = 0;

	if (!dirty_probe())
		cr_skip_test("Linux before 6.7");
	memset(many, 1, sizeof(many));
	run = start(write_many_pages);
	cr_assert_eq(dirty_open(&d, run.tid, &run.mem, false, NULL), 0);
	for (unsigned i = 0; i < 4; i++) {
		look(&run, d, &s);
		cr_assert(holds(&s, page), "look %u", i);
		dirty_learn(d, &s);
		dirty_set_free(&s);
		compute(&run, 20 * MS);
	}
	/* It does not run any more. */
	for (bool again = true; again && told < 100; told += again) {
		look(&run, d, &s);
		again = holds(&s, page);
		dirty_learn(d, &s);
		dirty_set_free(&s);
	}
	cr_assert(told > 1 && told < 100, "told %u times", told);
	compute(&run, 20 * MS);
	look(&run, d, &s);
	cr_assert(holds(&s, page));
	dirty_set_free(&s);
	dirty_close(d);
	point_kill(&run);
}

Test(tracee_dirty, hashes_tell_the_page_that_changed)
{
	watch(true);
}

Test(tracee_dirty, the_kernel_tells_the_page_that_was_written)
{
	if (!dirty_probe())
		cr_skip_test("Linux before 6.7");
	watch(false);
}
