#include "event/alike.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "event/item.h"

#define WALL 1763740000123456789u

/* A recording: a process with this pid. */
static struct alike *
recording(uint64_t pid)
{
	struct alike *a = alike_new();
	struct event head = { .seq = 1, .kind = EV_header, .args = { WALL } };
	struct event birth = {
		.seq = 2, .kind = EV_birth, .task = 1, .args = { pid, 1 }
	};
	struct alike_sig sig;
	uint64_t place;

	cr_assert_not(alike_event(a, &head, &place, &sig));
	cr_assert_not(alike_event(a, &birth, &place, &sig));
	return a;
}

static const char *
plain(struct alike *a, const char *text)
{
	static struct buf out;

	buf_clear(&out);
	alike_plain(a, span_str(text), &out);
	return buf_cstr(&out);
}

/* A call whose second argument points to this. */
static struct alike_sig
called(struct alike *a, struct event *ev, const char *text)
{
	struct buf payload = { 0 };
	struct alike_sig sig;
	uint64_t place;

	item_put_bytes(&payload, ITEM_IN, 1, span_str(text));
	ev->payload = buf_span(&payload);
	cr_assert(alike_event(a, ev, &place, &sig));
	buf_free(&payload);
	return sig;
}

/* A call that wrote this. */
static struct alike_sig
wrote(struct alike *a, const char *text)
{
	struct event ev = { .seq = 3,
			    .kind = EV_syscall,
			    .task = 1,
			    .call = SYS_write,
			    .args = { 1, 0x7f0012345678, strlen(text) },
			    .ret = (int64_t)strlen(text) };

	return called(a, &ev, text);
}

static unsigned
compare_writes(const char *x, const char *y)
{
	struct alike *a = recording(4711), *b = recording(5822);
	struct alike_sig sa = wrote(a, x), sb = wrote(b, y);

	alike_free(a);
	alike_free(b);
	return alike_compare(&sa, &sb);
}

Test(event_alike, pids_times_and_addresses_in_text_do_not_count)
{
	cr_assert_eq(compare_writes("pid 4711!", "pid 5822!"), 0);
	cr_assert_eq(compare_writes("at 0x7fff0123", "at 0x7eee0456"), 0);
	cr_assert_eq(compare_writes("12:00:01.25 go", "23:59:59.01 go"), 0);
	cr_assert_eq(compare_writes("t=1763740000 s", "t=1763740001 s"), 0);
	cr_assert_eq(compare_writes("1763740000.25", "1763740001.75"), 0);
	cr_assert_eq(compare_writes("7f0012345000-7f0012346000 r--p",
				    "7f0912345000-7f0912346000 r--p"),
		     0);
}

Test(event_alike, a_pid_may_be_longer)
{
	struct alike *a = recording(4711), *b = recording(15822);
	struct alike_sig sa = wrote(a, "pid 4711!"),
			 sb = wrote(b, "pid 15822!");

	cr_assert_eq(alike_compare(&sa, &sb), 0);
	sb = wrote(b, "pid 15822");
	cr_assert_eq(alike_compare(&sa, &sb), ALIKE_DATA);
	alike_free(a);
	alike_free(b);
}

Test(event_alike, other_text_counts)
{
	cr_assert_eq(compare_writes("count 39", "count 40"), ALIKE_DATA);
	cr_assert_eq(compare_writes("pid 4711!", "pid 9999!"), ALIKE_DATA);
	cr_assert_eq(compare_writes("47110 bytes", "58220 bytes"), ALIKE_DATA);
	cr_assert_eq(compare_writes("x4711", "x5822"), ALIKE_DATA);
	cr_assert_eq(compare_writes("t=1663740000 s", "t=1663740001 s"),
		     ALIKE_DATA);
	cr_assert_eq(compare_writes("long", "longer"),
		     ALIKE_ARGS | ALIKE_DATA | ALIKE_RET);
	cr_assert_eq(compare_writes("deadbeef", "feedbeef"), ALIKE_DATA);
}

Test(event_alike, text_at_the_end_of_a_span_is_not_read_beyond)
{
	struct alike *a = recording(12);

	cr_assert_str_eq(plain(a, "0"), "0");
	cr_assert_str_eq(plain(a, "0x"), "0x");
	cr_assert_str_eq(plain(a, "12:34:5"), "\1"
					      "1"
					      "\1"
					      ":34:5");
	cr_assert_str_eq(plain(a, "12345678-1234567"), "12345678-1234567");
	cr_assert_str_eq(plain(a, "/tmp/"), "/tmp/");
	cr_assert_str_eq(plain(a, "99999999999999999999999"),
			 "99999999999999999999999");
	alike_free(a);
}

static struct alike_sig
opened(struct alike *a, const char *path, uint64_t flags)
{
	struct event ev = { .seq = 3,
			    .kind = EV_syscall,
			    .task = 1,
			    .call = SYS_openat,
			    .args = { (uint64_t)AT_FDCWD, 0x1000, flags, 0600 },
			    .ret = 3 };

	return called(a, &ev, path);
}

Test(event_alike, names_of_temporary_files_stand_for_each_other)
{
	struct alike *a = recording(10), *b = recording(20);
	const uint64_t make = O_RDWR | O_CREAT | O_EXCL;
	struct alike_sig x, y;

	opened(a, "/tmp/ccAbCd.o", make);
	opened(b, "/tmp/ccXyZw.o", make);
	/* Before it was made a name is a name. */
	x = opened(a, "/tmp/other", O_RDONLY);
	y = opened(b, "/tmp/ccAbCd.o", O_RDONLY);
	cr_assert_eq(alike_compare(&x, &y), ALIKE_PATH);
	x = opened(a, "/tmp/ccAbCd.o", O_RDONLY);
	y = opened(b, "/tmp/ccXyZw.o", O_RDONLY);
	cr_assert_eq(alike_compare(&x, &y), 0);
	x = wrote(a, "see /tmp/ccAbCd.o: bad");
	y = wrote(b, "see /tmp/ccXyZw.o: bad");
	cr_assert_eq(alike_compare(&x, &y), 0);
	x = wrote(a, "see /tmp/ccAbCd.old");
	y = wrote(b, "see /tmp/ccXyZw.old");
	cr_assert_eq(alike_compare(&x, &y), ALIKE_DATA);
	alike_free(a);
	alike_free(b);
}

/* One event without payload: its signature; false = it does not count. */
static bool
sign(struct alike *a, struct event ev, struct alike_sig *out)
{
	uint64_t place;

	ev.seq = 9;
	ev.task = 1;
	return alike_event(a, &ev, &place, out);
}

Test(event_alike, clocks_locks_and_memory_do_not_count_but_their_errors_do)
{
	struct alike *a = recording(10);
	struct alike_sig sig;

	cr_assert_not(
		sign(a, (struct event){ .kind = EV_syscall, .call = SYS_futex },
		     &sig));
	cr_assert_not(sign(
		a,
		(struct event){ .kind = EV_syscall, .call = SYS_clock_gettime },
		&sig));
	cr_assert_not(sign(
		a, (struct event){ .kind = EV_syscall, .call = SYS_munmap },
		&sig));
	cr_assert(sign(a,
		       (struct event){ .kind = EV_syscall,
				       .call = SYS_munmap,
				       .ret = -22,
				       .flags = EVF_ERROR },
		       &sig));
	cr_assert_not(sign(a,
			   (struct event){ .kind = EV_syscall,
					   .call = SYS_wait4,
					   .args = { (uint64_t)-1 },
					   .ret = 11 },
			   &sig));
	cr_assert(sign(a,
		       (struct event){ .kind = EV_syscall,
				       .call = SYS_wait4,
				       .args = { 11 },
				       .ret = 11 },
		       &sig));
	cr_assert_not(sign(a, (struct event){ .kind = EV_insn }, &sig));
	cr_assert_not(sign(a, (struct event){ .kind = EV_sched }, &sig));
	alike_free(a);
}

Test(event_alike, a_task_that_another_one_ended_is_told_from_one_that_ended)
{
	struct alike *a = recording(10);
	struct alike_sig own, others;

	cr_assert_not(sign(
		a, (struct event){ .kind = EV_enter, .call = SYS_exit_group },
		&own));
	cr_assert(sign(a, (struct event){ .kind = EV_death }, &own));
	cr_assert(sign(a, (struct event){ .kind = EV_death }, &others));
	cr_assert_neq(own.what, 0);
	cr_assert_eq(others.what, 0);
	cr_assert_eq(alike_compare(&own, &others), 0);
	alike_free(a);
}
