/*
 * Breakpoints and watchpoints. gdb takes them out and puts them back at every
 * stop: here they are a list, which a motion is given.
 */
#include "gdb/spot.h"

#include <string.h>

#include "base/mem.h"
#include "gdb/expr.h"
#include "gdb/program.h"
#include "gdb/thread.h"

#define PIECES_MAX 4u /* debug registers */

/* Aligned pieces of up to 8 bytes that a range falls into. */
static unsigned
pieces(uint64_t addr, uint64_t len)
{
	unsigned n = 0;

	while (len > 0 && n <= PIECES_MAX) {
		uint64_t size = 8;

		while (addr % size != 0 || size > len)
			size /= 2;
		addr += size;
		len -= size;
		n++;
	}
	return n;
}

static bool
same(const struct spot *a, const struct spot *b)
{
	return a->kind == b->kind && a->process == b->process &&
	       a->addr == b->addr && a->len == b->len;
}

static bool
is_watch(const struct spot *p)
{
	return p->kind >= SPOT_WRITE;
}

static int
check_watch(const struct gdb_server *s, const struct spot *p, struct err *err)
{
	unsigned n = pieces(p->addr, p->len);

	if (p->len == 0)
		return err_set(err, E_UNSUPPORTED, "a watchpoint of no bytes");
	for (size_t i = 0; i < s->spots.len; i++) {
		if (is_watch(s->spots.v[i]))
			n += pieces(s->spots.v[i]->addr, s->spots.v[i]->len);
	}
	if (n > PIECES_MAX)
		return err_set(err, E_UNSUPPORTED,
			       "at most %u watchpoints of 8 bytes", PIECES_MAX);
	return 0;
}

/* ";X3,222627X..." after the numbers of a breakpoint. */
static bool
scan_conditions(struct scan *args, struct buf *out)
{
	if (!scan_word(args, ";"))
		return true;
	while (scan_word(args, "X")) {
		uint64_t len = scan_hex(args);

		scan_char(args, ',');
		if (args->bad || len > (uint64_t)(args->end - args->p) / 2)
			return false;
		buf_u32(out, (uint32_t)len);
		if (!hex_get(span_of(args->p, 2 * len), out))
			return false;
		args->p += 2 * len;
	}
	return true;
}

struct asking {
	struct gdb_server *s;
	struct span conds;
	uint32_t task;
};

static bool
ask_register(void *ctx, unsigned n, uint64_t *out)
{
	struct asking *a = ctx;
	struct buf hex = { 0 }, bytes = { 0 };
	bool ok;

	/* x's stand for what cannot be had */
	ok = register_put(a->s, a->task, n, &hex) && hex.len <= 16 &&
	     hex_get(buf_span(&hex), &bytes);
	*out = 0;
	if (ok)
		memcpy(out, bytes.p, bytes.len);
	buf_free(&hex);
	buf_free(&bytes);
	return ok;
}

static bool
ask_memory(void *ctx, uint64_t addr, void *out, size_t n)
{
	struct asking *a = ctx;

	return read_exact(a->s, a->task, addr, out, n);
}

/* One condition that holds, or that cannot be told, is enough. */
static bool
is_met(void *ctx, struct target *t, uint32_t task)
{
	struct asking *a = ctx;
	const struct expr_env env = { ask_register, ask_memory, a };
	struct reader r;
	uint64_t v;

	(void)t;
	a->task = task;
	reader_init(&r, a->conds);
	while (!reader_done(&r)) {
		if (!expr_eval(&env, reader_bytes(&r, reader_u32(&r)), &v) ||
		    v != 0)
			return true;
	}
	return false;
}

/* "0,401136,1"; false: an error has been answered. */
static bool
scan_spot(struct gdb_server *s, struct scan *args, struct spot *out)
{
	const struct target_task *t = thread_find(s, thread_current(s));
	uint64_t kind = scan_hex(args);

	scan_char(args, ',');
	out->addr = scan_hex(args);
	scan_char(args, ',');
	out->len = scan_hex(args);
	out->process = t ? t->process : 0;
	if (args->bad || out->len > UINT32_MAX) {
		reply_error(s, 1);
		return false;
	}
	/* Unknown: an empty answer. Debug registers tell no reads from writes;
	 * gdb, once told, asks for both and compares. */
	if (kind > SPOT_ACCESS || kind == SPOT_READ)
		return false;
	out->kind = (enum spot_kind)kind;
	return true;
}

static void
free_spot(struct gdb_server *s, size_t i)
{
	buf_free(&s->spots.v[i]->conds);
	mem_free(s->spots.v[i]);
	vec_remove(&s->spots, i);
}

void
spots_clear(struct gdb_server *s)
{
	while (s->spots.len > 0)
		free_spot(s, s->spots.len - 1);
}

/* The same place again: with conditions that have changed. */
static void
do_insert(struct gdb_server *s, struct scan *args)
{
	struct spot p = { 0 };
	struct err err = { 0 };

	if (!scan_spot(s, args, &p))
		return;
	if (!scan_conditions(args, &p.conds)) {
		buf_free(&p.conds);
		reply_error(s, 1);
		return;
	}
	reply_ok(s);
	for (size_t i = 0; i < s->spots.len; i++) {
		if (same(s->spots.v[i], &p)) {
			free_spot(s, i);
			break;
		}
	}
	if (s->spots.len >= SPOTS_MAX)
		err_set(&err, E_UNSUPPORTED, "at most %u breakpoints",
			SPOTS_MAX);
	else if (is_watch(&p))
		check_watch(s, &p, &err);
	if (err.code < 0) {
		buf_free(&p.conds);
		reply_err(s, &err);
	} else {
		vec_push(&s->spots, mem_dup(&p, sizeof(p)));
	}
}

static void
do_remove(struct gdb_server *s, struct scan *args)
{
	struct spot p = { 0 };

	if (!scan_spot(s, args, &p))
		return;
	reply_ok(s);
	for (size_t i = 0; i < s->spots.len; i++) {
		if (same(s->spots.v[i], &p)) {
			free_spot(s, i);
			return;
		}
	}
}

const struct handler spot_handlers[] = {
	{ "Z", do_insert },
	{ "z", do_remove },
	{ NULL, NULL },
};

/* ---- as a motion takes them: breaks and watches in the order of the list */

static struct asking *
asking_of(struct gdb_server *s, struct arena *a, const struct spot *p)
{
	struct asking *q;

	if (p->conds.len == 0)
		return NULL;
	q = arena_alloc(a, sizeof(*q));
	q->s = s;
	q->conds = buf_span(&p->conds);
	return q;
}

void
spots_put(struct gdb_server *s, struct arena *a, struct target_motion_req *req)
{
	struct target_break *b =
		arena_alloc(a, (s->spots.len + 1) * sizeof(*b));
	struct target_watch *w =
		arena_alloc(a, (s->spots.len + 1) * sizeof(*w));

	req->breaks = b;
	req->watches = w;
	for (size_t i = 0; i < s->spots.len; i++) {
		const struct spot *p = s->spots.v[i];
		struct asking *q = asking_of(s, a, p);

		if (is_watch(p))
			w[req->n_watches++] = (struct target_watch){
				.addr = p->addr,
				.len = (uint32_t)p->len,
				.read = p->kind != SPOT_WRITE,
				.changed = p->kind == SPOT_WRITE,
				.process = p->process,
				.cond = q ? is_met : NULL,
				.ctx = q,
			};
		else
			b[req->n_breaks++] = (struct target_break){
				.addr = p->addr,
				.process = p->process,
				.cond = q ? is_met : NULL,
				.ctx = q,
			};
	}
}

const struct spot *
spot_of(const struct gdb_server *s, const struct target_stop *stop)
{
	bool watch = stop->why == TARGET_AT_WATCH;
	size_t n = 0;

	for (size_t i = 0; i < s->spots.len; i++) {
		if (is_watch(s->spots.v[i]) == watch && n++ == stop->index)
			return s->spots.v[i];
	}
	return NULL;
}
