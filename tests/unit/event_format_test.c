#include "event/format.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>

#include "base/mem.h"
#include "event/item.h"
#include "tests/unit/event_random.h"

static struct event ev;
static struct buf payload;
static struct buf out;

static void
setup(void)
{
	memset(&ev, 0, sizeof(ev));
	buf_clear(&payload);
	buf_clear(&out);
}

static void
fini(void)
{
	buf_free(&payload);
	buf_free(&out);
}

TestSuite(event_format, .init = setup, .fini = fini);

static void
call(int nr, int64_t ret, int n, ...)
{
	va_list ap;

	ev.kind = EV_syscall;
	ev.call = (int16_t)nr;
	ev.ret = ret;
	if (ret < 0 && ret > -4096)
		ev.flags |= EVF_ERROR;
	va_start(ap, n);
	for (int i = 0; i < n; i++)
		ev.args[i] = va_arg(ap, uint64_t);
	va_end(ap);
}

#define U(x) ((uint64_t)(x))

static const char *
test_fd_name(void *ctx, const struct event *e, int fd)
{
	return fd == 5 ? "/etc/h\nosts" : NULL;
}

static void
line_is(const char *want)
{
	const struct format_opts o = { .fd_name = test_fd_name };

	ev.payload = buf_span(&payload);
	buf_clear(&out);
	event_format(&ev, &o, &out);
	cr_assert_str_eq(buf_cstr(&out), want, "\n%s\n%s", buf_cstr(&out),
			 want);
}

static void
in(uint64_t arg, const char *s)
{
	item_put_bytes(&payload, ITEM_IN, arg, span_str(s));
}

Test(event_format, paths_flags_and_descriptors)
{
	call(SYS_openat, 3, 4, U(-100), U(0x1000), U(0), U(0));
	in(1, "/etc/hosts");
	line_is("openat(AT_FDCWD, \"/etc/hosts\", O_RDONLY) = 3");
	call(SYS_openat, 5, 4, U(7), U(0x1000), U(0102 | 02000000), U(0644));
	line_is("openat(7, \"/etc/hosts\", O_RDWR|O_CREAT|O_CLOEXEC, 0644) = "
		"5</etc/h\\nosts>");
	call(SYS_close, 0, 1, U(5));
	line_is("close(5</etc/h\\nosts>) = 0");
	call(SYS_mmap, 0x7f0000000000, 6, U(0), U(8192), U(3), U(0x22), U(-1),
	     U(0));
	line_is("mmap(0, 8192, PROT_READ|PROT_WRITE, "
		"MAP_PRIVATE|MAP_ANONYMOUS, "
		"-1, 0) = 0x7f0000000000");
	call(SYS_mprotect, 0, 3, U(0x1000), U(1), U(0));
	line_is("mprotect(0x1000, 1, PROT_NONE) = 0");
}

Test(event_format, errors_have_names)
{
	call(SYS_chdir, -ENOENT, 1, U(0x1000));
	in(0, "/nowhere");
	line_is("chdir(\"/nowhere\") = -1 ENOENT (No such file or directory)");
	ev.flags |= EVF_REFUSED;
	line_is("chdir(\"/nowhere\") = -1 ENOENT (No such file or directory) "
		"[answered by pastime]");
	setup();
	/* An unreadable path: its address. */
	call(SYS_chdir, -EFAULT, 1, U(0x10));
	line_is("chdir(0x10) = -1 EFAULT (Bad address)");
	cr_assert_str_eq(errno_name(ENOENT), "ENOENT");
	cr_assert_str_eq(errno_name(EAGAIN), "EAGAIN");
	cr_assert_str_eq(errno_name(512), "errno 512");
	cr_assert_str_eq(errno_name(-3), "errno -3");
}

Test(event_format, data_is_cut_and_escaped)
{
	call(SYS_read, 7, 3, U(0), U(0x2000), U(100));
	item_put_mem(&payload, 0x2000, span_of("a\"b\n\x00\x1b\xff", 7));
	line_is("read(0, \"a\\\"b\\n\\x00\\x1b\\xff\", 100) = 7");
	setup();
	call(SYS_write, 40, 3, U(1), U(0x2000), U(40));
	in(1, "0123456789012345678901234567890123456789");
	line_is("write(1, \"01234567890123456789012345678901\"..., 40) = 40");
	setup();
	/* The output lies inside a larger piece of recorded memory. */
	call(SYS_read, 3, 3, U(0), U(0x2004), U(100));
	item_put_mem(&payload, 0x2000, span_str("0123abcdef"));
	line_is("read(0, \"abc\", 100) = 3");
	setup();
	call(SYS_read, -EAGAIN, 3, U(0), U(0x2004), U(100));
	line_is("read(0, 0x2004, 100) = -1 EAGAIN (Resource temporarily "
		"unavailable)");
	setup();
	call(SYS_read, 0, 3, U(0), U(0x2004), U(100));
	line_is("read(0, \"\", 100) = 0");
	call(SYS_read, -EFAULT, 3, U(0), U(0x2004), U(100));
	item_put_mem(&payload, 0x2004, span_str("half"));
	line_is("read(0, 0x2004, 100) = -1 EFAULT (Bad address)");
	setup();
	call(SYS_read, 300000, 3, U(0), U(0x2000), U(300000));
	struct blob_id ids[2] = { 0 };
	item_put_blobs(&payload, ITEM_MEM_BLOB, 0x2000, 300000, ids, 2);
	line_is("read(0, <300000 bytes>, 300000) = 300000");
}

Test(event_format, scatter_lists_and_messages)
{
	call(SYS_writev, 5, 3, U(1), U(0x1000), U(2));
	in(1, "abc");
	in(1, "de");
	line_is("writev(1, [\"abc\", \"de\"], 2) = 5");
	setup();
	call(SYS_sendmsg, 3, 3, U(4), U(0x1000), U(0x4000));
	item_put_bytes(
		&payload, ITEM_IN, 1 | 0x10,
		span_of("\x02\x00\x00\x35\x7f\x00\x00\x01\0\0\0\0\0\0\0", 16));
	in(1, "abc");
	line_is("sendmsg(4, {name=127.0.0.1:53, data=[\"abc\"]}, MSG_NOSIGNAL) "
		"= 3");
	setup();
	call(SYS_recvmsg, 3, 3, U(4), U(0x1000), U(0));
	item_put_mem(&payload, 0x1008, span_of("\0\0\0\0", 4));
	item_put_mem(&payload, 0x1028, span_of("\0\0\0\0\0\0\0\0\0\0\0\0", 12));
	item_put_mem(&payload, 0x9000, span_str("xyz"));
	line_is("recvmsg(4, {data=[\"xyz\"]}, 0) = 3");
}

Test(event_format, structures)
{
	struct {
		int64_t s, n;
	} t = { 1, 500 };
	uint64_t set = 1u << 1 | 1u << 14;

	call(SYS_nanosleep, 0, 2, U(0x1000), U(0));
	item_put_bytes(&payload, ITEM_IN, 0, span_of(&t, sizeof(t)));
	line_is("nanosleep({tv_sec=1, tv_nsec=500}, NULL) = 0");
	setup();
	call(SYS_rt_sigprocmask, 0, 4, U(0), U(0x1000), U(0), U(8));
	item_put_bytes(&payload, ITEM_IN, 1, span_of(&set, 8));
	line_is("rt_sigprocmask(SIG_BLOCK, [INT TERM], NULL, 8) = 0");
	setup();
	call(SYS_connect, 0, 3, U(3), U(0x1000), U(18));
	item_put_bytes(&payload, ITEM_IN, 1,
		       span_of("\x01\x00/run/x.sock\0junk", 18));
	line_is("connect(3, unix:\"/run/x.sock\", 18) = 0");
	setup();
	call(SYS_pipe2, 0, 2, U(0x1000), U(02000000));
	item_put_mem(&payload, 0x1000, span_of("\x03\0\0\0\x05\0\0\0", 8));
	line_is("pipe2([3, 5</etc/h\\nosts>], O_CLOEXEC) = 0");
	setup();
	call(SYS_wait4, 42, 4, U(-1), U(0x1000), U(1), U(0));
	item_put_mem(&payload, 0x1000, span_of("\x00\x03\0\0", 4));
	line_is("wait4(-1, [exit status 3], WNOHANG, NULL) = 42");
	setup();
	call(SYS_poll, 1, 3, U(0x1000), U(1), U(-1));
	item_put_mem(&payload, 0x1000, span_of("\x05\0\0\0\x01\0\x10\0", 8));
	line_is("poll([{fd=5</etc/h\\nosts>, events=POLLIN, revents=POLLHUP}], "
		"1, -1) = 1");
}

Test(event_format, operations_of_calls_that_are_many)
{
	call(SYS_futex, 1, 6, U(0x1000), U(0x81), U(1), U(0), U(0), U(0));
	line_is("futex(0x1000, FUTEX_WAKE|FUTEX_PRIVATE_FLAG, 1) = 1");
	call(SYS_ioctl, 0, 3, U(0), U(0x5413), U(0x1000));
	line_is("ioctl(0, TIOCGWINSZ, 0x1000) = 0");
	call(SYS_ioctl, -25, 3, U(0), U(0x40187a01), U(0x1000));
	ev.flags = 0;
	line_is("ioctl(0, _IOW(0x7a, 0x1, 24), 0x1000) = -25");
	call(SYS_fcntl, 0, 3, U(3), U(2), U(1));
	line_is("fcntl(3, F_SETFD, FD_CLOEXEC) = 0");
	call(SYS_fcntl, 0x8002, 3, U(3), U(3), U(77));
	line_is("fcntl(3, F_GETFL) = 0x8002 (O_RDWR|O_LARGEFILE)");
	call(SYS_fcntl, 5, 3, U(3), U(0x406), U(4));
	line_is("fcntl(3, F_DUPFD_CLOEXEC, 4) = 5</etc/h\\nosts>");
	call(SYS_fcntl, 0, 3, U(3), U(7), U(0x1000));
	item_put_bytes(&payload, ITEM_IN, 2,
		       span_of("\x01\0\0\0\0\0\0\0\x0a\0\0\0\0\0\0\0\x05\0\0\0"
			       "\0\0\0\0\0\0\0\0\0\0\0\0",
			       32));
	line_is("fcntl(3, F_SETLKW, {l_type=F_WRLCK, l_whence=SEEK_SET, "
		"l_start=10, l_len=5}) = 0");
	setup();
	call(SYS_ioctl, 0, 3, U(0), U(0x5413), U(0x1000));
	item_put_mem(&payload, 0x1000, span_of("\x18\0\x50\0\0\0\0\0", 8));
	line_is("ioctl(0, TIOCGWINSZ, {ws_row=24, ws_col=80}) = 0");
	setup();
	call(SYS_ioctl, 0, 3, U(0), U(0x541b), U(0x1000));
	item_put_zero(&payload, 0x1000, 4);
	line_is("ioctl(0, FIONREAD, [0]) = 0");
	setup();
	call(SYS_getdents64, 48, 3, U(3), U(0x1000), U(100));
	item_put_mem(&payload, 0x1000,
		     span_of("\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x18\0\4.\0zzz"
			     "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x18\0\4ab\0zz",
			     48));
	line_is("getdents64(3, [\".\", \"ab\"], 100) = 48");
	setup();
	call(SYS_setsockopt, 0, 5, U(3), U(6), U(1), U(0x1000), U(4));
	item_put_bytes(&payload, ITEM_IN, 3, span_of("\x01\0\0\0", 4));
	line_is("setsockopt(3, IPPROTO_TCP, TCP_NODELAY, [1], 4) = 0");
	setup();
	call(SYS_prctl, 0, 5, U(15), U(0x1000), U(0), U(0), U(0));
	item_put_bytes(&payload, ITEM_IN, 1, span_of("worker\0zzzzzzzzz", 16));
	line_is("prctl(PR_SET_NAME, \"worker\") = 0");
	setup();
	call(SYS_prctl, 0, 5, U(25), U(0x1000), U(7), U(8), U(9));
	item_put_mem(&payload, 0x1000, span_of("\x01\0\0\0", 4));
	line_is("prctl(PR_GET_TSC, [1]) = 0");
	setup();
	call(SYS_msgget, 14, 2, U(0), U(01600));
	line_is("msgget(0, 0600|IPC_CREAT) = 14");
	call(SYS_clone, 77, 5, U(0x11 | 0x1200000), U(0), U(0), U(0), U(0));
	line_is("clone(SIGCHLD|CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID, 0, "
		"NULL, "
		"NULL, 0) = 77");
	call(470, -ENOSYS, 2, U(1), U(2));
	ev.flags = EVF_ERROR;
	memset(ev.args + 2, 0, 32);
	line_is("syscall_470(0x1, 0x2, 0, 0, 0, 0) = -1 ENOSYS (Function not "
		"implemented)");
}

Test(event_format, calls_in_two_parts)
{
	call(SYS_read, 0, 3, U(0), U(0x2000), U(100));
	ev.kind = EV_enter;
	line_is("read(0, 0x2000, 100) ...");
	call(SYS_exit_group, 0, 1, U(3));
	ev.kind = EV_enter;
	line_is("exit_group(3) = ?");
	call(SYS_read, 3, 3, U(0), U(0x2000), U(100));
	ev.kind = EV_exit;
	item_put_mem(&payload, 0x2000, span_str("abc"));
	line_is("... read(0, \"abc\", 100) = 3");
	ev.flags = EVF_RESTART;
	line_is("... read(0, \"abc\", 100) = ? (interrupted; it will be issued "
		"again)");
}

Test(event_format, what_is_no_call)
{
	uint8_t info[128] = { 11, 0, 0, 0, 0, 0, 0, 0, 1 };

	ev = (struct event){ .kind = EV_signal, .args = { 11, 1, 16, 3 } };
	info[16] = 0x10;
	item_put_bytes(&payload, ITEM_SIGINFO, 0, span_of(info, 128));
	line_is("--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, "
		"si_addr=0x10} fatal ---");
	setup();
	ev = (struct event){ .kind = EV_death, .task = 3, .args = { 9, 9, 1 } };
	line_is("+++ task 3 ends: killed by SIGKILL; its process: killed by "
		"SIGKILL +++");
	ev = (struct event){ .kind = EV_insn,
			     .args = { 3, 2, 1, 0 },
			     .ret = 5 };
	line_is("cpuid(0x1, 0) = 0x5");
	ev = (struct event){ .kind = EV_birth,
			     .task = 2,
			     .args = { 4712, 4711, 1, 0x11 } };
	item_put_kv(&payload, "comm", span_str("sh"));
	line_is("+++ task 2 is born: tid 4712, process 4711, by task 1 with "
		"SIGCHLD, called \"sh\" +++");
	setup();
	ev = (struct event){ .kind = EV_exec };
	item_put_kv(&payload, "exe", span_str("/bin/ls"));
	item_put_kv(&payload, "argv", span_of("ls\0-l", 6));
	line_is("+++ runs /bin/ls: \"ls\" \"-l\" +++");
	setup();
	ev = (struct event){ .kind = EV_warning };
	item_put_bytes(&payload, ITEM_TEXT, 0, span_str("io_uring\x1b[1m"));
	line_is("warning: io_uring\\x1b[1m");
	setup();
	ev = (struct event){ .kind = EV_end, .args = { 256, 99 } };
	line_is("recording ends: exit status 1, 99 events");
	ev = (struct event){ .kind = EV_stop, .args = { 1, 20 } };
	line_is("--- stopped by SIGTSTP ---");
	ev = (struct event){ .kind = 999 };
	line_is("event of unknown kind 999");
}

Test(event_format, names_of_signals)
{
	cr_assert_str_eq(signal_name(17), "SIGCHLD");
	cr_assert_str_eq(signal_name(31), "SIGSYS");
	cr_assert_str_eq(signal_name(35), "SIGRT3");
	cr_assert_str_eq(signal_name(64), "SIGRT32");
	cr_assert_str_eq(signal_name(0), "signal 0");
	cr_assert_str_eq(signal_name(65), "signal 65");
	cr_assert_str_eq(signal_name(-1), "signal -1");
}

/* ---- JSON: a strict reader */

static const char *json_value(const char *p);

static const char *
json_string(const char *p)
{
	if (*p++ != '"')
		return NULL;
	for (; *p != '"'; p++) {
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
			return NULL;
		if (*p != '\\')
			continue;
		p++;
		if (*p == 'u') {
			for (int i = 0; i < 4; i++)
				if (!isxdigit((unsigned char)*++p))
					return NULL;
		} else if (!strchr("\"\\/bfnrt", *p) || !*p) {
			return NULL;
		}
	}
	return p + 1;
}

static const char *
json_list(const char *p, char end, bool pairs)
{
	if (*++p == end)
		return p + 1;
	for (;; p++) {
		if (pairs) {
			p = json_string(p);
			if (!p || *p++ != ':')
				return NULL;
		}
		p = json_value(p);
		if (!p)
			return NULL;
		if (*p == end)
			return p + 1;
		if (*p != ',')
			return NULL;
	}
}

static const char *
json_value(const char *p)
{
	char *end;

	switch (*p) {
	case '{':
		return json_list(p, '}', true);
	case '[':
		return json_list(p, ']', false);
	case '"':
		return json_string(p);
	case 't':
		return strncmp(p, "true", 4) == 0 ? p + 4 : NULL;
	case 'f':
		return strncmp(p, "false", 5) == 0 ? p + 5 : NULL;
	default:
		if (!isdigit((unsigned char)*p) && *p != '-')
			return NULL;
		strtoll(p, &end, 10);
		return end;
	}
}

static void
json_is_strict(void)
{
	const char *end;

	ev.payload = buf_span(&payload);
	buf_clear(&out);
	event_format_json(&ev, &out);
	cr_assert_null(memchr(out.p, '\n', out.len));
	end = json_value(buf_cstr(&out));
	cr_assert_not_null(end, "%s", buf_cstr(&out));
	cr_assert_eq(*end, '\0', "%s", buf_cstr(&out));
}

Test(event_format, json_of_every_kind_of_item)
{
	struct blob_id ids[1] = { { { 0xab } } };
	struct file_rec file = { .number = 7, .whole = 1 };
	struct map_rec map = { .start = 0x1000, .len = 0x1000 };
	struct regs regs = { .rax = 1 };

	call(SYS_read, -EIO, 3, U(-1), U(0x2000), U(100));
	item_put_mem(&payload, 0x2000, span_of("\x00\"\\\xff", 4));
	item_put_mem_task(&payload, 2, 0x2000, span_str("x"));
	item_put_zero(&payload, 0x2000, 5);
	item_put_blobs(&payload, ITEM_MEM_BLOB, 0x3000, 9, ids, 1);
	item_put_blobs(&payload, ITEM_IN_BLOB, 1, 9, ids, 1);
	item_put_bytes(&payload, ITEM_IN, 1, span_str("in"));
	item_put_bytes(&payload, ITEM_IN, 1 | 0x10, span_str("in"));
	item_put_bytes(&payload, ITEM_REGS, 0, span_of(&regs, sizeof(regs)));
	item_put_bytes(&payload, ITEM_REGS, 0, span_of(&regs, 5));
	item_put_bytes(&payload, ITEM_XSTATE, 0, span_str("x"));
	item_put_bytes(&payload, ITEM_SIGINFO, 0, span_str("x"));
	item_put_bytes(&payload, ITEM_TEXT, 0, span_str("x"));
	item_put_bytes(&payload, ITEM_FD, 3, span_str("pipe"));
	item_put_bytes(&payload, ITEM_PATCH, 0x40, span_str("\xcc"));
	item_put_kv(&payload, "key\n", span_str("value"));
	item_put_map(&payload, &map);
	item_put_file(&payload, &file, "/bin/\"x", ids, 1);
	item_put_region(&payload, 1, 2, UINT64_MAX);
	json_is_strict();
	cr_assert_not_null(strstr(buf_cstr(&out), "\"errno\":\"EIO\""));
	cr_assert_not_null(strstr(buf_cstr(&out), "\\u0000\\\"\\\\\\u00ff"));
	cr_assert_not_null(
		strstr(buf_cstr(&out), "\"ab000000000000000000000000000000\""));
	buf_clear(&out);
	event_format_detail(&ev, NULL, &out);
	cr_assert_not_null(strstr(buf_cstr(&out), "call: read (file)\n"));
	cr_assert_not_null(strstr(buf_cstr(&out), "|.\"\\.|"));
	/* The end is cut off. */
	payload.len -= 3;
	json_is_strict();
	cr_assert_not_null(strstr(buf_cstr(&out), "\"kind\":\"damaged\""));
}

static void
all_text_is_printable(void)
{
	struct format_opts o = { .fd_name = test_fd_name };

	ev.payload = buf_span(&payload);
	buf_clear(&out);
	event_format(&ev, &o, &out);
	for (size_t i = 0; i < out.len; i++)
		cr_assert(out.p[i] >= 0x20 && out.p[i] < 0x7f, "%s",
			  buf_cstr(&out));
	buf_clear(&out);
	event_format_detail(&ev, &o, &out);
	for (size_t i = 0; i < out.len; i++)
		cr_assert((out.p[i] >= 0x20 && out.p[i] < 0x7f) ||
				  out.p[i] == '\n',
			  "%s", buf_cstr(&out));
	json_is_strict();
}

/* Every call and kind with arguments and data that an attacker might choose. */
Test(event_format, hostile_events_give_plain_text)
{
	uint64_t s = 1;

	for (int round = 0; round < 6000; round++) {
		ev = random_event(&s, random_u64(&s));
		ev.kind = (uint16_t)(random_u64(&s) % 19);
		if (random_u64(&s) % 3)
			ev.kind = (uint16_t)(EV_enter + random_u64(&s) % 3);
		ev.call = (int16_t)(random_u64(&s) % 480 - 1);
		ev.flags = (uint32_t)(random_u64(&s) % 64);
		if (random_u64(&s) % 2)
			ev.ret = (int64_t)(random_u64(&s) % 300) - 150;
		buf_clear(&payload);
		for (uint64_t n = random_u64(&s) % 6; n > 0; n--) {
			uint8_t bytes[300];
			size_t len = random_u64(&s) % sizeof(bytes);
			uint64_t arg = random_u64(&s) % 6;

			for (size_t i = 0; i < len; i++)
				bytes[i] = (uint8_t)random_u64(&s);
			if (random_u64(&s) % 2)
				item_put_mem(&payload,
					     ev.args[arg] & 0xffffffffffff,
					     span_of(bytes, len));
			else
				item_put_bytes(
					&payload,
					(enum item_kind)(random_u64(&s) % 20),
					arg, span_of(bytes, len));
		}
		if (random_u64(&s) % 4 == 0 && payload.len > 0)
			payload.p[random_u64(&s) % payload.len] =
				(uint8_t)random_u64(&s);
		all_text_is_printable();
	}
}
