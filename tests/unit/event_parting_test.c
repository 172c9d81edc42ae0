#include "event/parting.h"

#include <criterion/criterion.h>
#include <sys/syscall.h>

#include "event/item.h"
#include "event/memlog.h"

/* A recording being made: main is task 1, its threads 2 and 3. */
struct made {
	struct memlog *log;
	uint64_t seq;
};

static void
put(struct made *m, struct event ev)
{
	ev.seq = ++m->seq;
	cr_assert_eq(sink_put(memlog_sink(m->log), &ev, NULL), 0);
}

static struct made
begin(uint64_t pid)
{
	struct made m = { memlog_new(), 0 };

	put(&m, (struct event){ .kind = EV_header });
	for (uint32_t t = 1; t <= 3; t++)
		put(&m, (struct event){ .kind = EV_birth,
					.task = t,
					.args = { pid + t, 1, t > 1 } });
	return m;
}

/* Returns its seq. */
static uint64_t
call(struct made *m, uint32_t task, int nr, int64_t ret)
{
	put(m, (struct event){ .kind = EV_syscall,
			       .task = task,
			       .call = (int16_t)nr,
			       .ret = ret });
	return m->seq;
}

static void
end(struct made *m, bool in_order)
{
	if (in_order)
		put(m, (struct event){ .kind = EV_end });
	cr_assert_eq(memlog_sink(m->log)->ops->close(memlog_sink(m->log), NULL),
		     0);
}

static int
find(struct made *a, struct made *b, struct parting *out)
{
	struct source *src[2] = { memlog_source(a->log),
				  memlog_source(b->log) };
	int rc = parting_find(src, NULL, NULL, out, NULL);

	memlog_free(a->log);
	memlog_free(b->log);
	return rc;
}

Test(event_parting, the_order_of_turns_does_not_matter)
{
	struct made a = begin(100), b = begin(200);
	struct parting p;

	for (int i = 0; i < 100; i++)
		call(&a, 2, SYS_getuid, i);
	for (int i = 0; i < 100; i++)
		call(&a, 3, SYS_geteuid, i);
	for (int i = 0; i < 100; i++) {
		call(&b, 3, SYS_geteuid, i);
		call(&b, 1, SYS_futex, 0);
		call(&b, 2, SYS_getuid, i);
	}
	end(&a, true);
	end(&b, true);
	cr_assert_eq(find(&a, &b, &p), 0);
	cr_assert_eq(p.compared, 200);
}

Test(event_parting, the_first_of_the_first_recording_is_told)
{
	struct made a = begin(100), b = begin(200);
	uint64_t sa, sb;
	struct parting p;

	call(&a, 3, SYS_geteuid, 1);
	sa = call(&a, 2, SYS_getuid, 5);
	call(&a, 2, SYS_getuid, 6);
	call(&a, 3, SYS_geteuid, 2);
	/* There, task 3 parts first, and task 2 much later. */
	call(&b, 3, SYS_geteuid, 1);
	call(&b, 3, SYS_geteuid, 3);
	for (int i = 0; i < 1000; i++)
		call(&b, 3, SYS_geteuid, 4);
	sb = call(&b, 2, SYS_getgid, 5);
	end(&a, true);
	end(&b, true);
	cr_assert_eq(find(&a, &b, &p), 1);
	cr_assert_eq(p.seq[0], sa);
	cr_assert_eq(p.seq[1], sb);
	cr_assert_eq(p.task[0], 2);
	cr_assert_eq(p.parts, ALIKE_WHAT);
	cr_assert_eq(p.alike[0], 0);
}

Test(event_parting, one_that_goes_on_parts_from_one_that_ends)
{
	struct made a = begin(100), b = begin(200);
	uint64_t last, more;
	struct parting p;

	last = call(&a, 1, SYS_getuid, 1);
	call(&b, 1, SYS_getuid, 1);
	more = call(&b, 1, SYS_getuid, 1);
	end(&a, true);
	end(&b, true);
	cr_assert_eq(find(&a, &b, &p), 1);
	cr_assert_eq(p.seq[0], 0);
	cr_assert_eq(p.seq[1], more);
	cr_assert_eq(p.alike[0], last);
	cr_assert_eq(p.parts, 0);
}

Test(event_parting, nothing_is_concluded_from_what_was_cut_off)
{
	struct made a = begin(100), b = begin(200);
	struct parting p;

	call(&a, 1, SYS_getuid, 1);
	call(&b, 1, SYS_getuid, 1);
	call(&b, 1, SYS_getuid, 1);
	end(&a, false);
	end(&b, true);
	cr_assert_eq(find(&a, &b, &p), 0);
	cr_assert(p.cut[0]);
	cr_assert_not(p.cut[1]);
}

Test(event_parting, a_task_ended_by_another_one_parts_from_nobody)
{
	struct made a = begin(100), b = begin(200);
	struct parting p;

	call(&a, 2, SYS_getuid, 1);
	put(&a, (struct event){ .kind = EV_death, .task = 2 });
	for (int i = 0; i < 5; i++)
		call(&b, 2, SYS_getuid, 1);
	put(&b, (struct event){ .kind = EV_death, .task = 2 });
	end(&a, true);
	end(&b, true);
	cr_assert_eq(find(&a, &b, &p), 0);
}

static bool
stop(void *ctx, uint64_t at, uint64_t to)
{
	return false;
}

Test(event_parting, it_can_be_cancelled)
{
	struct made a = begin(100), b = begin(200);
	struct source *src[2] = { memlog_source(a.log), memlog_source(b.log) };
	struct parting p;

	for (int i = 0; i < 10000; i++) {
		call(&a, 1, SYS_getuid, 1);
		call(&b, 1, SYS_getuid, 1);
	}
	end(&a, true);
	end(&b, true);
	cr_assert_eq(parting_find(src, stop, NULL, &p, NULL), -E_CANCELLED);
	memlog_free(a.log);
	memlog_free(b.log);
}
