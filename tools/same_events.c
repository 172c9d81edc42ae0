/*
 * same-events [-b BEFORE] COMMAND...: record a command twice, with the agent
 * and without, and compare what was recorded, task by task: every call with its
 * arguments, result and data, signals, images, deaths, and in which order. Both
 * run at the same addresses, the shell command BEFORE ahead of each. Left out
 * is what two runs never have in common: times, process ids, inode numbers,
 * what is random or was never written.
 *
 * A call is the same whether it is one event or two (enter, exit): that depends
 * on what other tasks do meanwhile.
 *
 * Status: 0 the same, 1 not, 2 error, 77 addresses cannot be kept.
 */
#include <asm/unistd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/vec.h"
#include "event/item.h"
#include "event/memlog.h"
#include "event/sys.h"
#include "tools/check.h"

#define CANNOT 77
#define STAT_TIMES 72u /* of struct stat, up to where they end */
#define STAT_END 120u
#define STAT_INO 8u
#define STATX_TIMES 64u
#define STATX_END 128u
#define STATX_INO 32u
#define DIRENT_LEN 16u
#define DIRENT_NAME 19u

/* What a task did, a line each. */
struct story {
	VEC(char *) lines;
	bool open; /* the last one is a call that has not returned */
};

struct run {
	struct memlog *m;
	VEC(struct story) tasks;
	uint64_t made; /* calls by the agent */
	uint64_t calls;
	struct buf line, tmp;
};

/* ---- what may differ */

/* Its result and what it writes are another each time. */
static bool
is_fleeting(int nr)
{
	static const int list[] = {
		__NR_clock_gettime, __NR_gettimeofday, __NR_time,
		__NR_times,	    __NR_getrusage,    __NR_sysinfo,
		__NR_getrandom,	    __NR_statfs,       __NR_fstatfs,
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (list[i] == nr)
			return true;
	return false;
}

static bool
returns_pid(int nr)
{
	static const int list[] = {
		__NR_getpid,	   __NR_getppid, __NR_gettid,
		__NR_getpgrp,	   __NR_getpgid, __NR_getsid,
		__NR_fork,	   __NR_vfork,	 __NR_clone,
		__NR_clone3,	   __NR_wait4,	 __NR_set_tid_address,
		__NR_rt_sigreturn, __NR_setsid,
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (list[i] == nr)
			return true;
	return false;
}

static bool
is_time(const struct sys_arg *a)
{
	return a->type == ARG_TIMESPEC || a->type == ARG_TIMEVAL;
}

/* What is written there holds times or process ids. */
static bool
is_left_out(const struct sys_desc *d, const uint64_t args[6], uint64_t addr)
{
	for (unsigned i = 0; i < d->nargs; i++) {
		if (args[i] != addr)
			continue;
		if (is_time(&d->args[i]) || d->args[i].type == ARG_SIGINFO)
			return true;
		/* wait4's struct rusage, clone3's arguments */
		if (d->args[i].type == ARG_STRUCT)
			return strcmp(d->group, "process") == 0;
	}
	return false;
}

static void
forget(uint8_t *p, size_t len, size_t from, size_t to)
{
	if (len >= to)
		memset(p + from, 0, to - from);
}

/* Of a directory the numbers of its inodes and their places are left out. */
static void
mask_entries(uint8_t *p, size_t len)
{
	uint16_t n;

	for (size_t at = 0; at + DIRENT_NAME <= len; at += n) {
		memcpy(&n, p + at + DIRENT_LEN, sizeof(n));
		if (n < DIRENT_NAME || n > len - at)
			break;
		memset(p + at, 0, DIRENT_LEN);
	}
}

static void
mask_stat(const struct sys_desc *d, const uint64_t args[6], uint64_t addr,
	  uint8_t *p, size_t len)
{
	bool x = d->name != NULL && strcmp(d->name, "statx") == 0;

	for (unsigned i = 0; i < d->nargs; i++) {
		if (args[i] != addr || d->args[i].type != ARG_STAT)
			continue;
		forget(p, len, x ? STATX_TIMES : STAT_TIMES,
		       x ? STATX_END : STAT_END);
		forget(p, len, x ? STATX_INO : STAT_INO,
		       (x ? STATX_INO : STAT_INO) + 8);
	}
}

/* ---- lines */

static struct story *
story_of(struct run *r, uint32_t task)
{
	while (r->tasks.len <= task)
		vec_push(&r->tasks, (struct story){ 0 });
	return &r->tasks.v[task];
}

static void
add(struct run *r, struct story *s)
{
	vec_push(&s->lines, mem_strdup(buf_cstr(&r->line)));
}

/* Bytes as a number: FNV-1a. */
static uint64_t
sum(const uint8_t *p, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}

static bool
is_input(const struct item *it)
{
	return it->kind == ITEM_IN || it->kind == ITEM_IN_BLOB;
}

/* Of an address what counts: a path ends at its NUL. */
static size_t
used(const struct sys_desc *d, const struct item *it, const uint8_t *p,
     size_t len)
{
	const uint16_t family = AF_UNIX;

	if (!is_input(it) || it->num >= 6 ||
	    d->args[it->num].type != ARG_SOCKADDR || len <= sizeof(family) ||
	    memcmp(p, &family, sizeof(family)) != 0)
		return len;
	return sizeof(family) +
	       strnlen((const char *)p + sizeof(family), len - sizeof(family));
}

static int
put_bytes(struct run *r, const struct event *ev, const struct item *it,
	  struct err *err)
{
	const struct sys_desc *d = sys_desc(ev->call);
	struct span bytes = { 0 };
	uint8_t *p;
	int ret;

	if (it->kind == ITEM_ZERO) {
		buf_clear(&r->tmp);
		memset(buf_grow(&r->tmp, it->len), 0, it->len);
		bytes = buf_span(&r->tmp);
	} else {
		buf_clear(&r->tmp);
		ret = source_item_bytes(memlog_source(r->m), it, &r->tmp,
					&bytes, err);
		if (ret < 0)
			return ret;
	}
	p = mem_alloc(bytes.len + 1);
	memcpy(p, bytes.p, bytes.len);
	if (!is_input(it))
		mask_stat(d, ev->args, it->addr, p, bytes.len);
	if (ev->call == __NR_getdents64)
		mask_entries(p, bytes.len);
	buf_printf(&r->line, " %s %lx: %zu bytes %016lx",
		   is_input(it) ? "in" : "out",
		   is_input(it) ? it->num : it->addr, bytes.len,
		   sum(p, used(d, it, p, bytes.len)));
	mem_free(p);
	return 0;
}

static int
put_item(struct run *r, const struct event *ev, const struct item *it,
	 struct err *err)
{
	struct map_rec m;
	int ret;

	switch (it->kind) {
	case ITEM_MEM:
	case ITEM_MEM_BLOB:
	case ITEM_ZERO:
		if (is_fleeting(ev->call) ||
		    is_left_out(sys_desc(ev->call), ev->args, it->addr))
			return 0;
		return put_bytes(r, ev, it, err);
	case ITEM_IN:
	case ITEM_IN_BLOB:
		if (it->num < 6 && is_time(&sys_desc(ev->call)->args[it->num]))
			return 0;
		return put_bytes(r, ev, it, err);
	case ITEM_FD:
		buf_printf(&r->line, " fd %lu", it->num);
		return 0;
	case ITEM_MAP:
		ret = item_get_map(it, &m, err);
		/* pastime's own pages come when they come */
		if (ret == 0 && m.start - 0x70000000u >= 0x41000000u)
			buf_printf(&r->line, " map %lx+%lx %x %x at %lx",
				   m.start, m.len, m.prot, m.flags, m.offset);
		return ret;
	}
	return 0;
}

static int
put_items(struct run *r, const struct event *ev, struct err *err)
{
	struct item_reader ir;
	struct item it;
	int ret;

	item_reader_init(&ir, ev->payload);
	while ((ret = item_next(&ir, &it, err)) > 0) {
		ret = put_item(r, ev, &it, err);
		if (ret < 0)
			break;
	}
	return ret;
}

static void
put_entry(struct run *r, const struct event *ev)
{
	const struct sys_desc *d = sys_desc(ev->call);

	buf_printf(&r->line, "%s at %lx sp %lx (", sys_name(ev->call), ev->pc,
		   ev->sp);
	for (unsigned i = 0; i < d->nargs; i++)
		if (d->args[i].type == ARG_PID)
			buf_printf(&r->line, "PID ");
		else
			buf_printf(&r->line, "%lx ", ev->args[i]);
	buf_printf(&r->line, ")");
}

static int
put_return(struct run *r, const struct event *ev, struct err *err)
{
	uint32_t flags = ev->flags & (EVF_ERROR | EVF_RESTART | EVF_REFUSED);

	if (is_fleeting(ev->call) || (returns_pid(ev->call) && ev->ret > 0))
		buf_printf(&r->line, " = OK %x", flags);
	else
		buf_printf(&r->line, " = %ld %x", ev->ret, flags);
	return put_items(r, ev, err);
}

/* A call, the whole of it or its first or second half. */
static int
call(struct run *r, const struct event *ev, struct err *err)
{
	struct story *s = story_of(r, ev->task);
	int ret = 0;

	r->calls++;
	r->made += (ev->flags & EVF_AGENT) != 0;
	if (ev->kind == EV_exit && s->open) {
		buf_str(&r->line, s->lines.v[--s->lines.len]);
		mem_free(s->lines.v[s->lines.len]);
	} else {
		put_entry(r, ev);
	}
	s->open = ev->kind == EV_enter;
	if (!s->open)
		ret = put_return(r, ev, err);
	add(r, s);
	return ret;
}

static int
put_event(struct run *r, const struct event *ev, struct err *err)
{
	buf_clear(&r->line);
	switch (ev->kind) {
	case EV_enter:
	case EV_exit:
	case EV_syscall:
		return call(r, ev, err);
	case EV_insn: /* cpuid: leaf and subleaf */
		buf_printf(&r->line, "insn %lu at %lx (%lx %lx)", ev->args[0],
			   ev->pc, ev->args[2], ev->args[3]);
		break;
	case EV_signal:
		buf_printf(&r->line, "signal %lu code %ld: %lu, handler %lx",
			   ev->args[0], (long)ev->args[1], ev->args[3],
			   ev->args[4]);
		break;
	case EV_death:
		buf_printf(&r->line, "death %lx", ev->args[0]);
		break;
	case EV_exec:
	case EV_stop:
		buf_printf(&r->line, "%s", event_kind_name(ev->kind));
		break;
	default: /* when those come depends on the number of events, or on
		    time */
		return 0;
	}
	add(r, story_of(r, ev->task));
	return 0;
}

/* ---- twice */

/* Each run finds its standard output empty. */
static bool
new_output(void)
{
	int fd = memfd_create("output", 0);

	return fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0 && close(fd) == 0;
}

static int
record(struct run *r, const char *before, char **argv, bool agent,
       struct err *err)
{
	struct source *src;
	struct event ev;
	int ret;

	r->m = memlog_new();
	if (!new_output())
		return err_errno(err, "cannot make an output");
	if (before != NULL && system(before) != 0)
		return -1;
	if (check_command(argv, agent, r->m) != 0)
		return -1;
	src = memlog_source(r->m);
	while ((ret = source_next(src, &ev, err)) > 0) {
		ret = put_event(r, &ev, err);
		if (ret < 0)
			break;
	}
	return ret;
}

static void
release(struct run *r)
{
	for (size_t i = 0; i < r->tasks.len; i++) {
		for (size_t j = 0; j < r->tasks.v[i].lines.len; j++)
			mem_free(r->tasks.v[i].lines.v[j]);
		vec_free(&r->tasks.v[i].lines);
	}
	vec_free(&r->tasks);
	buf_free(&r->line);
	buf_free(&r->tmp);
	memlog_free(r->m);
}

static const char *
line_at(const struct story *s, size_t i)
{
	return i < s->lines.len ? s->lines.v[i] : "(nothing)";
}

/* The first line that differs, and what came before it. */
static bool
compare(unsigned task, const struct story *with, const struct story *without)
{
	size_t i = 0, from;

	while (i < with->lines.len && i < without->lines.len &&
	       strcmp(with->lines.v[i], without->lines.v[i]) == 0)
		i++;
	if (i == with->lines.len && i == without->lines.len)
		return true;
	for (from = i > 3 ? i - 3 : 0; from < i; from++)
		fprintf(stderr, "task %u    %s\n", task, with->lines.v[from]);
	fprintf(stderr, "task %u with    %s\ntask %u without %s\n", task,
		line_at(with, i), task, line_at(without, i));
	return false;
}

static int
compare_all(const struct run *with, const struct run *without)
{
	unsigned bad = 0;

	if (with->tasks.len != without->tasks.len) {
		fprintf(stderr, "%zu tasks with, %zu without\n",
			with->tasks.len - 1, without->tasks.len - 1);
		bad++;
	}
	for (unsigned i = 0; i < with->tasks.len && i < without->tasks.len; i++)
		bad += !compare(i, &with->tasks.v[i], &without->tasks.v[i]);
	fprintf(stderr,
		"%lu calls with, %lu of them by the agent; %lu without: %s\n",
		with->calls, with->made, without->calls,
		bad != 0 ? "they differ" : "the same");
	return bad != 0;
}

int
main(int argc, char **argv)
{
	struct run with = { 0 }, without = { 0 };
	const char *before = NULL;
	struct err err = { 0 };
	int ret = 2;

	if (argc > 2 && strcmp(argv[1], "-b") == 0) {
		before = argv[2];
		argv += 2;
		argc -= 2;
	}
	if (argc < 2) {
		fprintf(stderr, "usage: same-events [-b BEFORE] COMMAND...\n");
		return 2;
	}
	if (personality(ADDR_NO_RANDOMIZE) < 0)
		return CANNOT;
	if (record(&with, before, argv + 1, true, &err) == 0 &&
	    record(&without, before, argv + 1, false, &err) == 0)
		ret = compare_all(&with, &without);
	else if (err.code != 0)
		check_fail(&err, "reading events");
	release(&with);
	release(&without);
	return ret;
}
