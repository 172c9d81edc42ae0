#include "tracee/spin.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "event/regs.h"
#include "tracee/ptrace.h"
#include "tracee/stop.h"

/* Shared with the child. */
static volatile struct {
	uint32_t ready, now, word;
	uint64_t turns;
} * m;

struct child {
	pid_t tid;
	struct mem mem;
};

/* A child that stands in body, at an interrupt. */
static struct child
start(void (*body)(void))
{
	struct child c = { 0 };
	struct stop st;

	m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		 -1, 0);
	cr_assert_neq(m, MAP_FAILED);
	c.tid = fork();
	if (c.tid == 0) {
		m->ready = 1;
		body();
		_exit(0);
	}
	while (m->ready == 0)
		sched_yield();
	cr_assert_eq(ptrace_seize(c.tid, NULL), 0);
	cr_assert_eq(mem_open(&c.mem, c.tid, NULL), 0);
	cr_assert_eq(ptrace_interrupt(c.tid), 0);
	cr_assert_eq(stop_wait_for(c.tid, &st), 0);
	cr_assert_eq(st.kind, STOP_EVENT_STOP, "%s", stop_name(st.kind));
	return c;
}

static void
end(struct child *c)
{
	mem_close(&c->mem);
	kill(c->tid, SIGKILL);
	waitpid(c->tid, NULL, 0);
}

/* It has begun to wait: the call before it is behind. */
static int
find(struct child *c, struct spin *s)
{
	struct stop st;
	int ret;

	for (;;) {
		ret = spin_find(c->tid, &c->mem, s, NULL);
		if (ret == SPIN_FOUND)
			return ret;
		cr_assert_eq(ret, SPIN_NONE);
		cr_assert_eq(ptrace_cont(c->tid), 0);
		sched_yield();
		cr_assert_eq(ptrace_interrupt(c->tid), 0);
		cr_assert_eq(stop_wait_for(c->tid, &st), 0);
	}
}

static struct regs
regs_of(const struct child *c)
{
	struct regs regs;

	cr_assert_eq(ptrace_get_regs(c->tid, &regs), 0);
	return regs;
}

/* A sanitizer would read more than the word. */
__attribute__((no_sanitize("address", "undefined"))) static void
wait_for_ticket(void)
{
	while (m->now != 5)
		continue;
}

Test(tracee_spin, a_waiting_task_is_known_by_the_word_it_reads)
{
	struct child c = start(wait_for_ticket);
	struct spin s;

	cr_assert_eq(find(&c, &s), SPIN_FOUND);
	cr_assert_eq(s.n, 1);
	cr_assert_eq(s.word[0].addr, (uint64_t)(uintptr_t)&m->now);
	cr_assert_eq(s.word[0].len, 4);
	cr_assert_eq(s.word[0].value, 0);
	cr_assert(regs_of(&c).rip >= s.from && regs_of(&c).rip <= s.to);
	cr_assert(spin_goes_on(&s, &c.mem));
	m->now = 5;
	cr_assert_not(spin_goes_on(&s, &c.mem));
	end(&c);
}

Test(tracee_spin, what_it_would_do_is_tried_and_nothing_comes_of_it)
{
	struct child c = start(wait_for_ticket);
	struct regs before, after;
	struct spin s;

	cr_assert_eq(find(&c, &s), SPIN_FOUND);
	before = regs_of(&c);
	m->now = 4; /* another's turn */
	cr_assert_eq(spin_would(c.tid, &c.mem, &s, NULL), SPIN_FOUND);
	cr_assert_eq(s.word[0].value, 4);
	after = regs_of(&c);
	cr_assert_eq(memcmp(&before, &after, sizeof(before)), 0);
	m->now = 5;
	cr_assert_eq(spin_would(c.tid, &c.mem, &s, NULL), SPIN_NONE);
	after = regs_of(&c);
	cr_assert_eq(memcmp(&before, &after, sizeof(before)), 0);
	end(&c);
}

__attribute__((no_sanitize("address", "undefined"))) static void
take_lock(void)
{
	volatile uint32_t *word = &m->word;
	uint32_t none = 0;

	while (!__atomic_compare_exchange_n(word, &none, 1, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		none = 0;
	m->turns = 1;
	for (;;)
		pause();
}

static void
take_lock_that_is_held(void)
{
	m->word = 2;
	take_lock();
}

Test(tracee_spin, a_lock_is_not_taken_to_see_who_waits_for_it)
{
	struct child c = start(take_lock_that_is_held);
	struct spin s;

	cr_assert_eq(find(&c, &s), SPIN_FOUND);
	cr_assert_eq(s.word[0].addr, (uint64_t)(uintptr_t)&m->word);
	m->word = 3;
	cr_assert_eq(spin_would(c.tid, &c.mem, &s, NULL), SPIN_FOUND);
	m->word = 0;
	cr_assert_eq(spin_would(c.tid, &c.mem, &s, NULL), SPIN_NONE);
	cr_assert_eq(m->word, 0);
	cr_assert_eq(m->turns, 0);
	end(&c);
}

static void
count_in_memory(void)
{
	for (;;)
		m->turns++;
}

static void
count_in_registers(void)
{
	unsigned long n = 0;

	for (;;)
		__asm__ volatile("inc %0" : "+r"(n) : "m"(m->now));
}

Test(tracee_spin, who_computes_does_not_wait)
{
	void (*const body[])(void) = { count_in_memory, count_in_registers };

	for (unsigned i = 0; i < 2; i++) {
		struct child c = start(body[i]);
		struct spin s;

		for (unsigned k = 0; k < 8; k++) {
			struct stop st;

			cr_assert_eq(spin_find(c.tid, &c.mem, &s, NULL),
				     SPIN_NONE);
			cr_assert_eq(s.n, 0);
			cr_assert_eq(ptrace_cont(c.tid), 0);
			cr_assert_eq(ptrace_interrupt(c.tid), 0);
			cr_assert_eq(stop_wait_for(c.tid, &st), 0);
		}
		end(&c);
	}
}
