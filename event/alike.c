#include "event/alike.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "event/facts.h"
#include "event/sys.h"

/* Numbers from here to where user memory ends are taken for addresses. */
#define ADDRESS_FIRST (1ul << 32)
#define ADDRESS_LAST (1ul << 47)
#define EPHEMERAL_PORT 32768 /* and above: the kernel chose it */
#define ROOT_PLACE 1u

/* args[3] of a signal, docs/EVENTS.md */
#define SIGNAL_IGNORED 2

struct alike_task {
	uint64_t place;
	uint32_t process;
	uint32_t threads, children; /* born of it so far */
	uint32_t made;		    /* names made up by it so far */
	bool leaves;		    /* its last event: it ends itself */
};

struct alike {
	struct map tasks;   /* task -> struct alike_task */
	struct map places;  /* tid -> struct alike_task that had it last */
	struct map strange; /* process, descriptor -> bytes mean nothing */
	struct map made;    /* hash of a path -> the task that made it up */
	VEC(uint64_t *) names;
	VEC(struct alike_task *) all;
	uint64_t began_ns, now_ns; /* wall clock */
	struct arena arena;
	struct buf text, plain;
};

struct alike *
alike_new(void)
{
	return mem_zalloc(sizeof(struct alike));
}

void
alike_free(struct alike *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->all.len; i++)
		mem_free(a->all.v[i]);
	for (size_t i = 0; i < a->names.len; i++)
		mem_free(a->names.v[i]);
	vec_free(&a->all);
	vec_free(&a->names);
	map_free(&a->made);
	map_free(&a->tasks);
	map_free(&a->places);
	map_free(&a->strange);
	arena_free(&a->arena);
	buf_free(&a->text);
	buf_free(&a->plain);
	mem_free(a);
}

static uint32_t
hash_of(struct span s)
{
	return (uint32_t)XXH3_64bits(s.p, s.len);
}

/* ---- tasks */

static struct alike_task *
task_of(const struct alike *a, uint32_t task)
{
	return map_get(&a->tasks, task);
}

static uint64_t
place_of_tid(const struct alike *a, uint64_t tid)
{
	const struct alike_task *t = tid ? map_get(&a->places, tid) : NULL;

	return t ? t->place : 0;
}

static void
note_birth(struct alike *a, const struct event *ev)
{
	struct alike_task *t = mem_zalloc(sizeof(*t));
	struct alike_task *parent = task_of(a, (uint32_t)ev->args[2]);

	t->process = (uint32_t)ev->args[1];
	t->place = ROOT_PLACE;
	if (parent) {
		bool thread = parent->process == t->process;
		uint64_t way[3] = { parent->place, thread,
				    thread ? ++parent->threads
					   : ++parent->children };

		t->place = XXH3_64bits(way, sizeof(way));
	}
	vec_push(&a->all, t);
	map_set(&a->tasks, ev->task, t);
	map_set(&a->places, ev->args[0], t);
}

/* ---- text without what differs from run to run */

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool
is_hex(uint8_t c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static size_t
run_of(struct span s, size_t at, bool (*is)(uint8_t))
{
	size_t n = 0;

	while (at + n < s.len && is(s.p[at + n]))
		n++;
	return n;
}

static bool
in_clock(const struct alike *a, uint64_t v)
{
	for (uint64_t unit = 1; unit <= 1000000000; unit *= 1000) {
		uint64_t slack = 1000000000 / unit + 1;

		if (v + slack >= a->began_ns / unit &&
		    v <= a->now_ns / unit + slack)
			return true;
	}
	return false;
}

/* 0x7f..., or START-END of /proc/PID/maps: how long; 0 = no address. */
static size_t
address_at(struct span s, size_t at)
{
	size_t n, m;

	if (s.p[at] == '0' && at + 1 < s.len && s.p[at + 1] == 'x') {
		n = run_of(s, at + 2, is_hex);
		return n >= 5 ? n + 2 : 0;
	}
	n = run_of(s, at, is_hex);
	if (n < 8 || n > 16 || at + n >= s.len || s.p[at + n] != '-')
		return 0;
	m = run_of(s, at + n + 1, is_hex);
	return m == n ? 2 * n + 1 : 0;
}

/* 12:34:56 and 12:34:56.789 */
static size_t
time_at(struct span s, size_t at)
{
	static const char form[] = "dd:dd:dd";
	size_t n = sizeof(form) - 1;

	if (s.len - at < n)
		return 0;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = s.p[at + i];

		if (form[i] == 'd' ? !is_digit(c) : c != ':')
			return 0;
	}
	if (at + n < s.len && (s.p[at + n] == '.' || s.p[at + n] == ','))
		n += 1 + run_of(s, at + n + 1, is_digit);
	return n;
}

static size_t
number_at(const struct alike *a, struct span s, size_t at, struct buf *out)
{
	size_t n = run_of(s, at, is_digit);
	uint64_t v = 0, place;

	if (n > 19) {
		buf_put(out, s.p + at, n);
		return n;
	}
	for (size_t i = 0; i < n; i++)
		v = v * 10 + (uint64_t)(s.p[at + i] - '0');
	place = n > 1 ? place_of_tid(a, v) : 0;
	if (place) {
		buf_printf(out, "\1%lx\1", place);
	} else if (n >= 9 && in_clock(a, v)) {
		buf_str(out, "\1t\1");
		/* Seconds with a fraction */
		if (at + n < s.len && s.p[at + n] == '.')
			n += 1 + run_of(s, at + n + 1, is_digit);
	} else {
		buf_put(out, s.p + at, n);
	}
	return n;
}

static bool
is_temporary(struct span path)
{
	static const char *const dirs[] = { "/tmp/", "/var/tmp/", "/dev/shm/" };

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		size_t n = strlen(dirs[i]);

		if (path.len > n && !memcmp(path.p, dirs[i], n))
			return true;
	}
	return false;
}

static bool
is_of_path(uint8_t c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || (c && strchr("/._-+@%", c));
}

/* A name that was made up in this recording, or below it: how long, and its
 * number. */
static size_t
made_at(const struct alike *a, struct span s, size_t at, uint64_t *id)
{
	struct span rest = span_of(s.p + at, s.len - at);
	size_t n;

	if (a->made.len == 0 || !is_temporary(rest))
		return 0;
	for (n = run_of(rest, 0, is_of_path); n > 0; n--) {
		const uint64_t *made;

		if (n < rest.len && is_of_path(rest.p[n]) && rest.p[n] != '/')
			continue;
		made = map_get(&a->made, XXH3_64bits(rest.p, n));
		if (made) {
			*id = *made;
			return n;
		}
	}
	return 0;
}

void
alike_plain(struct alike *a, struct span s, struct buf *out)
{
	bool word = false; /* the byte before belongs to a word */
	uint64_t id;

	for (size_t i = 0, n; i < s.len; i += n) {
		uint8_t c = s.p[i];

		n = 0;
		if (c == '/') {
			n = made_at(a, s, i, &id);
			if (n)
				buf_printf(out, "\1m%lx\1", id);
		} else if (is_hex(c) && !word) {
			n = address_at(s, i);
			if (n)
				buf_str(out, "\1a\1");
		}
		if (n == 0 && is_digit(c) && !word) {
			n = time_at(s, i);
			if (n)
				buf_str(out, "\1c\1");
			else
				n = number_at(a, s, i, out);
		}
		if (n == 0) {
			buf_u8(out, c);
			n = 1;
		}
		c = s.p[i + n - 1];
		word = is_digit(c) || (c >= 'a' && c <= 'z') ||
		       (c >= 'A' && c <= 'Z') || c == '_';
	}
}

static uint32_t
hash_plain(struct alike *a, struct span s)
{
	buf_clear(&a->plain);
	alike_plain(a, s, &a->plain);
	return hash_of(buf_span(&a->plain));
}

/* ---- names that were made up */

static bool
makes_name(const struct event *ev)
{
	const uint64_t excl = O_CREAT | O_EXCL;

	switch (ev->call) {
	case SYS_open:
		return (ev->args[1] & excl) == excl;
	case SYS_openat:
		return (ev->args[2] & excl) == excl;
	case SYS_mkdir:
	case SYS_mkdirat:
		return true;
	}
	return false;
}

/* From now on the name stands for the n-th one that this task made up. */
static void
note_made(struct alike *a, const struct event *ev, struct span path,
	  struct alike_task *t)
{
	uint64_t way[2] = { t->place, t->made };
	uint64_t *id;

	if (!makes_name(ev) || !is_temporary(path) || ev->ret < 0)
		return;
	t->made++;
	id = mem_alloc(sizeof(*id));
	*id = XXH3_64bits(way, sizeof(way));
	vec_push(&a->names, id);
	map_set(&a->made, XXH3_64bits(path.p, path.len), id);
}

/* ---- descriptors whose bytes mean nothing */

static uint64_t
strange_key(const struct alike_task *t, int fd)
{
	return (uint64_t)t->process << 32 | (uint32_t)fd;
}

static void
note_opened(struct alike *a, const struct event *ev, struct span path,
	    const struct alike_task *t)
{
	static const char *const from[] = { "/proc/", "/sys/", "/dev/random",
					    "/dev/urandom" };

	if (ev->call == SYS_close)
		map_del(&a->strange, strange_key(t, (int)ev->args[0]));
	if ((ev->call != SYS_open && ev->call != SYS_openat) || ev->ret < 0)
		return;
	map_del(&a->strange, strange_key(t, (int)ev->ret));
	for (size_t i = 0; i < ARRAY_LEN(from); i++) {
		size_t n = strlen(from[i]);

		if (path.len >= n && !memcmp(path.p, from[i], n))
			map_set(&a->strange, strange_key(t, (int)ev->ret), a);
	}
}

/* ---- calls */

/* A wait for whichever child: which one, and how often it is asked, is the
 * scheduler's choice. The child itself tells how it ended. */
static bool
waits_for_any(const struct event *ev)
{
	if (ev->call == SYS_wait4)
		return (int)ev->args[0] <= 0 || (ev->args[2] & WNOHANG);
	return (int)ev->args[0] != P_PID || (ev->args[3] & WNOHANG);
}

/* Made or not as clocks, malloc's addresses, locks and the ends of children
 * fall out. */
static bool
means_nothing(const struct event *ev, const struct sys_desc *d)
{
	switch (ev->call) {
	case SYS_clock_gettime:
	case SYS_clock_getres:
	case SYS_gettimeofday:
	case SYS_time:
	case SYS_times:
	case SYS_getrusage:
	case SYS_getrandom: /* as often as a name is tried */
	case SYS_futex:
	case SYS_sched_yield:
	case SYS_restart_syscall:
	case SYS_rt_sigreturn:
		return true;
	case SYS_wait4:
	case SYS_waitid:
		return waits_for_any(ev);
	case SYS_mmap:
		return ev->ret >= 0 && (int)ev->args[4] < 0;
	}
	return d->group && !strcmp(d->group, "memory") && ev->ret >= 0 &&
	       ev->call != SYS_mmap;
}

/* What it returns is a pid. */
static bool
returns_pid(int call)
{
	switch (call) {
	case SYS_clone:
	case SYS_clone3:
	case SYS_fork:
	case SYS_vfork:
	case SYS_wait4:
	case SYS_getpid:
	case SYS_getppid:
	case SYS_gettid:
	case SYS_getpgrp:
	case SYS_getpgid:
	case SYS_getsid:
	case SYS_setsid:
	case SYS_set_tid_address:
		return true;
	}
	return false;
}

/* A pid as the place of who has it; 0, -1, -pid of groups as they are. */
static uint64_t
plain_pid(const struct alike *a, int64_t pid)
{
	int64_t v = (int32_t)pid;
	uint64_t place = place_of_tid(a, (uint64_t)(v < 0 ? -v : v));

	if (place)
		return v < 0 ? ~place : place;
	/* Somebody who is not recorded. */
	return v > 1 || v < -1 ? ADDRESS_FIRST : (uint64_t)v;
}

static uint64_t
plain_number(uint64_t v)
{
	return v >= ADDRESS_FIRST && v < ADDRESS_LAST ? ADDRESS_FIRST : v;
}

static uint64_t
plain_arg(const struct alike *a, const struct sys_arg *arg, uint64_t v)
{
	/* How long to wait often is how long until a certain time. */
	if (!strncmp(arg->name, "timeout", 7))
		return (int)v > 0;
	switch (arg->type) {
	case ARG_PID:
		return plain_pid(a, (int64_t)v);
	case ARG_INT:
	case ARG_UINT:
	case ARG_OCT:
	case ARG_FD:
	case ARG_DIRFD:
	case ARG_FLAGS:
	case ARG_ENUM:
	case ARG_SIGNO:
	case ARG_CLOCK:
		return (uint32_t)v;
	case ARG_LONG:
	case ARG_ULONG:
	case ARG_HEX:
		return plain_number(v);
	}
	return v != 0; /* a pointer */
}

static uint64_t
plain_ret(const struct alike *a, const struct event *ev,
	  const struct sys_desc *d)
{
	if (ev->ret < 0)
		return (uint64_t)ev->ret;
	if (returns_pid(ev->call))
		return plain_pid(a, ev->ret);
	if (d->flags & SYSF_RET_HEX)
		return 0;
	return plain_number((uint64_t)ev->ret);
}

/* Ports that the kernel chose are left out. */
static void
put_address(struct buf *out, struct span s)
{
	size_t n = s.len, port = 0;

	while (n > 0 && is_digit(s.p[n - 1]))
		n--;
	for (size_t i = n; i < s.len && i < n + 6; i++)
		port = port * 10 + (size_t)(s.p[i] - '0');
	if (n == 0 || s.p[n - 1] != ':' || port < EPHEMERAL_PORT)
		n = s.len;
	buf_put(out, s.p, n);
}

/* All bytes that went in or out, however many: facts keep the first ones. */
static void
put_data(const struct event *ev, const struct sys_desc *d,
	 const struct facts *f, struct buf *out)
{
	bool buffer = d->nargs > 1 && d->args[1].type == ARG_BUF;
	struct item_reader ir;
	struct item it;

	if (!buffer) {
		buf_put(out, f->data.p, f->data.len);
		return;
	}
	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		bool memory = it.kind == ITEM_MEM || it.kind == ITEM_MEM_BLOB;
		bool in = it.kind == ITEM_IN || it.kind == ITEM_IN_BLOB;

		/* Of blobs the hashes: as good as the bytes. */
		if ((memory && it.addr == ev->args[1]) || (in && it.num == 1))
			buf_put(out, it.bytes.p, it.bytes.len);
	}
}

static void
sign_data(struct alike *a, const struct event *ev, const struct sys_desc *d,
	  const struct facts *f, struct alike_sig *out)
{
	if (!f->has_data)
		return;
	buf_clear(&a->text);
	put_data(ev, d, f, &a->text);
	out->data = hash_of(buf_span(&a->text));
	out->plain_data = hash_plain(a, buf_span(&a->text));
}

static bool
sign_call(struct alike *a, const struct event *ev, struct alike_task *t,
	  struct alike_sig *out)
{
	const struct sys_desc *d = sys_desc(ev->call);
	uint64_t args[6] = { 0 }, ret;
	struct facts f;
	bool strange;

	if (ev->flags & EVF_RESTART || means_nothing(ev, d))
		return false;
	facts_of(ev, NULL, &a->arena, &f);
	strange = !f.is_output && f.has_data &&
		  map_has(&a->strange, strange_key(t, f.fd));
	note_opened(a, ev, f.path, t);
	note_made(a, ev, f.path, t);
	out->what = (uint32_t)ev->call * 256u + EV_syscall;
	for (unsigned i = 0; i < d->nargs; i++)
		args[i] = plain_arg(a, &d->args[i], ev->args[i]);
	out->args = hash_of(span_of(args, sizeof(args)));
	if (d->nargs > 2 && d->args[1].type == ARG_BUF)
		args[2] = 0;
	out->plain_args = hash_of(span_of(args, sizeof(args)));
	ret = ev->ret < 0;
	out->plain_ret = hash_of(span_of(&ret, sizeof(ret)));
	if (!strange)
		ret = plain_ret(a, ev, d);
	out->ret = hash_of(span_of(&ret, sizeof(ret)));
	buf_clear(&a->text);
	buf_put(&a->text, f.path.p, f.path.len);
	buf_u8(&a->text, 0);
	buf_put(&a->text, f.path2.p, f.path2.len);
	buf_u8(&a->text, 0);
	put_address(&a->text, f.addr);
	out->path = hash_plain(a, buf_span(&a->text));
	if (!strange)
		sign_data(a, ev, d, &f, out);
	return true;
}

static void
sign_exec(struct alike *a, const struct event *ev, struct alike_sig *out)
{
	struct facts f;

	facts_of(ev, NULL, &a->arena, &f);
	buf_clear(&a->text);
	buf_put(&a->text, f.path.p, f.path.len);
	buf_u8(&a->text, 0);
	buf_put(&a->text, f.note.p, f.note.len);
	out->path = hash_plain(a, buf_span(&a->text));
}

static bool
sign(struct alike *a, const struct event *ev, struct alike_task *t,
     struct alike_sig *out)
{
	bool leaves = t->leaves;

	t->leaves = false;
	out->what = ev->kind;
	switch (ev->kind) {
	case EV_enter:
		t->leaves = ev->call == SYS_exit || ev->call == SYS_exit_group;
		return false;
	case EV_exit:
	case EV_syscall:
		return sign_call(a, ev, t, out);
	case EV_exec:
		sign_exec(a, ev, out);
		return true;
	case EV_signal:
		/* A fatal one says itself how the task ended. */
		out->args = (uint32_t)ev->args[0];
		out->ret = (uint32_t)ev->args[3];
		return ev->args[3] != SIGNAL_IGNORED && ev->args[0] != SIGCHLD;
	case EV_death:
		out->ret = (uint32_t)ev->args[0];
		if (!leaves)
			out->what = 0;
		return true;
	}
	t->leaves = leaves;
	return false;
}

bool
alike_event(struct alike *a, const struct event *ev, uint64_t *out_place,
	    struct alike_sig *out)
{
	struct alike_task *t;

	if (ev->kind == EV_header)
		a->began_ns = ev->args[0];
	a->now_ns = a->began_ns + ev->time_ns;
	if (ev->kind == EV_birth)
		note_birth(a, ev);
	t = task_of(a, ev->task);
	if (!t)
		return false;
	*out_place = t->place;
	*out = (struct alike_sig){ .seq = ev->seq };
	arena_clear(&a->arena);
	return sign(a, ev, t, out);
}

unsigned
alike_compare(const struct alike_sig *a, const struct alike_sig *b)
{
	/* The same but for a pid of four digits or five: how many bytes there
	 * are says nothing. */
	bool plainly = a->data != b->data && a->plain_data == b->plain_data;
	unsigned parts = 0;

	if (a->what == 0 || b->what == 0)
		return 0;
	if (a->what != b->what)
		return ALIKE_WHAT;
	if (plainly ? a->plain_args != b->plain_args : a->args != b->args)
		parts |= ALIKE_ARGS;
	if (a->path != b->path)
		parts |= ALIKE_PATH;
	if (a->data != b->data && !plainly)
		parts |= ALIKE_DATA;
	if (plainly ? a->plain_ret != b->plain_ret : a->ret != b->ret)
		parts |= ALIKE_RET;
	return parts;
}
