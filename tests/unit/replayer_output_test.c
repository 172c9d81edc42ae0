#include "tests/unit/replayer_script.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/*
 * Each call of a list is followed by writes of one letter to the descriptors
 * of interest; what is heard tells where they lead.
 */
#define TEXT (DATA_BASE + 0x2000)

struct heard {
	char out[3][128];
};

static void
hear(void *ctx, const struct event *ev, int fd, struct span bytes)
{
	struct heard *h = ctx;

	cr_assert(fd == 1 || fd == 2);
	cr_assert_lt(strlen(h->out[fd]) + bytes.len, sizeof(h->out[fd]));
	strncat(h->out[fd], (const char *)bytes.p, bytes.len);
}

struct act {
	struct listed_call call;
	int64_t ret;
	const char *fd_text; /* ITEM_FD for ret */
};

#define CALL(ret_, nr_, ...)                                                   \
	{                                                                      \
		.call = { .nr = (nr_), .args = { __VA_ARGS__ } },              \
		.ret = (ret_)                                                  \
	}
/* The letter at TEXT + n - 'a' goes to fd. */
#define PUT(fd, letter) CALL(1, SYS_write, (fd), TEXT + ((letter) - 'a'), 1)

static void
play(const struct act *acts, size_t n, const char *const names[3],
     struct heard *h)
{
	struct replay_opts o = { .output = hear, .output_ctx = h };
	struct listed_call calls[64];
	struct event ev = script_event(EV_memory, 1);
	struct err err = { 0 };
	struct replayer *r;
	struct script s;

	*h = (struct heard){ 0 };
	script_init(&s);
	for (size_t i = 0; i < n; i++)
		calls[i] = acts[i].call;
	for (uint64_t fd = 0; names && fd < 3; fd++)
		item_put_bytes(&s.items, ITEM_FD, fd, span_str(names[fd]));
	script_begin_list(&s, calls, n);
	item_put_mem(&s.items, TEXT, span_str("abcdefghijklmnopqrstuvwxyz"));
	script_put(&s, &ev);
	for (size_t i = 0; i < n; i++) {
		if (acts[i].fd_text)
			item_put_bytes(&s.items, ITEM_FD, (uint64_t)acts[i].ret,
				       span_str(acts[i].fd_text));
		script_listed(&s, EV_syscall, &acts[i].call, acts[i].ret);
	}
	script_end(&s);
	r = script_replay(&s, &o);
	cr_assert_eq(script_run(r, &err), 0, "%s", err.text);
	replayer_close(r);
	script_free(&s);
}

#define PLAY(names, out1, out2, ...)                                           \
	do {                                                                   \
		static const struct act acts[] = { __VA_ARGS__ };              \
		struct heard h;                                                \
		play(acts, sizeof(acts) / sizeof(acts[0]), names, &h);         \
		cr_assert_str_eq(h.out[1], out1);                              \
		cr_assert_str_eq(h.out[2], out2);                              \
	} while (0)

static const char *const files[3] = { "/dev/null", "/tmp/out", "/tmp/err" };
static const char *const pipes[3] = { "/dev/null", "pipe:[7]", "pipe:[8]" };
static const char *const tty[3] = { "/dev/pts/3", "/dev/pts/3", "/dev/pts/3" };

Test(replayer_output, stdout_and_stderr_are_told_apart)
{
	PLAY(NULL, "ac", "b", PUT(1, 'a'), PUT(2, 'b'), PUT(1, 'c'),
	     PUT(3, 'x'));
	PLAY(files, "ac", "b", PUT(1, 'a'), PUT(2, 'b'), PUT(1, 'c'),
	     PUT(0, 'x'));
}

Test(replayer_output, dup_and_close_are_followed)
{
	PLAY(files, "abd", "cefg", PUT(1, 'a'), CALL(7, SYS_dup, 1),
	     PUT(7, 'b'), CALL(1, SYS_dup2, 2, 1), PUT(1, 'c'), PUT(7, 'd'),
	     CALL(5, SYS_fcntl, 1, F_DUPFD_CLOEXEC, 5), PUT(5, 'e'),
	     CALL(0, SYS_close, 5), PUT(5, 'x'), CALL(9, SYS_dup3, 2, 9, 0),
	     PUT(9, 'f'), CALL(2, SYS_dup2, 2, 2), PUT(2, 'g'),
	     CALL(2, SYS_dup2, 3, 2), PUT(2, 'y'));
}

Test(replayer_output, a_failed_call_changes_nothing_but_close_does)
{
	PLAY(files, "b", "", CALL(-24, SYS_dup2, 2, 1), PUT(1, 'b'),
	     CALL(-4, SYS_close, 1), PUT(1, 'x'));
}

Test(replayer_output, close_range_closes)
{
	PLAY(files, "a", "b", CALL(9, SYS_dup, 1), PUT(9, 'a'),
	     CALL(0, SYS_close_range, 3, 0xffffffff, CLOSE_RANGE_CLOEXEC),
	     CALL(0, SYS_close_range, 0, 1, 0), PUT(1, 'x'), PUT(2, 'b'));
}

Test(replayer_output, an_output_that_is_opened_again_is_known_by_its_name)
{
	PLAY(pipes, "ab", "c", PUT(1, 'a'),
	     { .call = { .nr = SYS_openat }, .ret = 6, .fd_text = "pipe:[7]" },
	     PUT(6, 'b'),
	     { .call = { .nr = SYS_openat }, .ret = 7, .fd_text = "pipe:[8]" },
	     PUT(7, 'c'),
	     { .call = { .nr = SYS_openat }, .ret = 8, .fd_text = "pipe:[9]" },
	     PUT(8, 'x'));
	/* A regular file of the same name is another open file. */
	PLAY(files, "a", "", PUT(1, 'a'),
	     { .call = { .nr = SYS_openat }, .ret = 6, .fd_text = "/tmp/out" },
	     PUT(6, 'x'));
	PLAY(tty, "abc", "", PUT(0, 'a'), PUT(1, 'b'),
	     { .call = { .nr = SYS_openat }, .ret = 6, .fd_text = "/dev/tty" },
	     PUT(6, 'c'));
}

static void
play_opened(const char *path, const char *heard)
{
	struct listed_call calls[] = {
		{ SYS_openat, { (uint64_t)AT_FDCWD } },
		{ SYS_write, { 6, TEXT, 1 } },
	};
	struct event ev = script_event(EV_memory, 1);
	struct heard h = { 0 };
	struct replay_opts o = { .output = hear, .output_ctx = &h };
	struct err err = { 0 };
	struct replayer *r;
	struct script s;

	script_init(&s);
	script_begin_list(&s, calls, 2);
	item_put_mem(&s.items, TEXT, span_str("a"));
	script_put(&s, &ev);
	item_put_bytes(&s.items, ITEM_IN, 1, span_str(path));
	item_put_bytes(&s.items, ITEM_FD, 6, span_str("/tmp/out"));
	script_listed(&s, EV_syscall, &calls[0], 6);
	script_listed(&s, EV_syscall, &calls[1], 1);
	script_end(&s);
	r = script_replay(&s, &o);
	cr_assert_eq(script_run(r, &err), 0, "%s", err.text);
	cr_assert_str_eq(h.out[1], heard, "%s", path);
	replayer_close(r);
	script_free(&s);
}

Test(replayer_output, the_names_of_outputs_lead_there)
{
	play_opened("/dev/stdout", "a");
	play_opened("/dev/fd/1", "a");
	play_opened("/proc/self/fd/1", "a");
	play_opened("/proc/self/fd/7", "");
	play_opened("/proc/self/fd/", "");
	play_opened("/dev/fd/1x", "");
	play_opened("/tmp/out", "");
}

Test(replayer_output, a_short_write_prints_what_was_taken)
{
	PLAY(files, "abc", "", CALL(3, SYS_write, 1, TEXT, 26),
	     CALL(-11, SYS_write, 1, TEXT, 26), CALL(0, SYS_write, 1, TEXT, 26),
	     CALL(-14, SYS_write, 1, 8, 26));
}

Test(replayer_output, vectors_are_put_together)
{
	struct iovec iov[3] = { { (void *)(TEXT + 3), 2 },
				{ (void *)TEXT, 0 },
				{ (void *)TEXT, 3 } };
	struct msghdr msg = { .msg_iov = (void *)(DATA_BASE + 0x100),
			      .msg_iovlen = 3 };
	struct listed_call calls[] = {
		{ SYS_writev, { 1, DATA_BASE + 0x100, 3 } },
		{ SYS_sendmsg, { 2, DATA_BASE + 0x200, 0 } },
	};
	struct event ev = script_event(EV_memory, 1);
	struct heard h = { 0 };
	struct replay_opts o = { .output = hear,
				 .output_ctx = &h,
				 .verify_output = true };
	struct err err = { 0 };
	struct replayer *r;
	struct script s;

	script_init(&s);
	script_begin_list(&s, calls, 2);
	item_put_mem(&s.items, TEXT, span_str("abcdef"));
	item_put_mem(&s.items, DATA_BASE + 0x100, span_of(iov, sizeof(iov)));
	item_put_mem(&s.items, DATA_BASE + 0x200, span_of(&msg, sizeof(msg)));
	script_put(&s, &ev);
	item_put_bytes(&s.items, ITEM_IN, 1, span_str("de"));
	item_put_bytes(&s.items, ITEM_IN, 1, span_str("ab"));
	script_listed(&s, EV_syscall, &calls[0], 4);
	script_listed(&s, EV_syscall, &calls[1], 5);
	script_end(&s);
	r = script_replay(&s, &o);
	cr_assert_eq(script_run(r, &err), 0, "%s", err.text);
	cr_assert_str_eq(h.out[1], "deab");
	cr_assert_str_eq(h.out[2], "deabc");
	replayer_close(r);
	script_free(&s);
}

Test(replayer_output, a_write_that_blocks_shows_what_it_was_given)
{
	struct listed_call call = { SYS_write, { 1, TEXT, 6 } };
	struct event ev = script_event(EV_memory, 1);
	struct heard h = { 0 };
	struct replay_opts o = { .output = hear, .output_ctx = &h };
	struct err err = { 0 };
	struct replayer *r;
	struct script s;

	script_init(&s);
	script_begin_list(&s, &call, 1);
	item_put_mem(&s.items, TEXT, span_str("first!"));
	script_put(&s, &ev);
	script_listed(&s, EV_enter, &call, 0);
	/* Somebody overwrites the buffer before the call returns. */
	item_put_mem(&s.items, TEXT, span_str("second"));
	script_put(&s, &ev);
	script_listed(&s, EV_exit, &call, 5);
	script_end(&s);
	r = script_replay(&s, &o);
	cr_assert_eq(script_run(r, &err), 0, "%s", err.text);
	cr_assert_str_eq(h.out[1], "first");
	/* On the way to somewhere nothing is printed. */
	cr_assert_eq(replayer_seek(r, 5, NULL, NULL, &err), 0, "%s", err.text);
	cr_assert_eq(replayer_seek(r, s.seq, NULL, NULL, &err), 0, "%s",
		     err.text);
	cr_assert_str_eq(h.out[1], "first");
	replayer_close(r);
	script_free(&s);
}
