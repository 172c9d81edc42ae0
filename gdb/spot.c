/*
 * Breakpoints and watchpoints. gdb takes them out and puts them back at every
 * stop: here they are a list, which a motion is given.
 */
#include "gdb/session.h"

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
		if (is_watch(&s->spots.v[i]))
			n += pieces(s->spots.v[i].addr, s->spots.v[i].len);
	}
	if (n > PIECES_MAX)
		return err_set(err, E_UNSUPPORTED,
			       "at most %u watchpoints of 8 bytes", PIECES_MAX);
	return 0;
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
	if (kind > SPOT_ACCESS) /* unknown: an empty answer */
		return false;
	out->kind = (enum spot_kind)kind;
	return true;
}

static void
do_insert(struct gdb_server *s, struct scan *args)
{
	struct spot p = { 0 };
	struct err err = { 0 };

	if (!scan_spot(s, args, &p))
		return;
	reply_ok(s);
	for (size_t i = 0; i < s->spots.len; i++) {
		if (same(&s->spots.v[i], &p))
			return;
	}
	if (s->spots.len >= SPOTS_MAX)
		err_set(&err, E_UNSUPPORTED, "at most %u breakpoints",
			SPOTS_MAX);
	else if (is_watch(&p))
		check_watch(s, &p, &err);
	if (err.code < 0)
		reply_err(s, &err);
	else
		vec_push(&s->spots, p);
}

static void
do_remove(struct gdb_server *s, struct scan *args)
{
	struct spot p = { 0 };

	if (!scan_spot(s, args, &p))
		return;
	reply_ok(s);
	for (size_t i = 0; i < s->spots.len; i++) {
		if (same(&s->spots.v[i], &p)) {
			vec_remove(&s->spots, i);
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

void
spots_put(const struct gdb_server *s, struct arena *a,
	  struct target_motion_req *req)
{
	struct target_break *b =
		arena_alloc(a, (s->spots.len + 1) * sizeof(*b));
	struct target_watch *w =
		arena_alloc(a, (s->spots.len + 1) * sizeof(*w));

	req->breaks = b;
	req->watches = w;
	for (size_t i = 0; i < s->spots.len; i++) {
		const struct spot *p = &s->spots.v[i];

		if (is_watch(p))
			w[req->n_watches++] = (struct target_watch){
				.addr = p->addr,
				.len = (uint32_t)p->len,
				.read = p->kind != SPOT_WRITE,
				.changed = p->kind == SPOT_WRITE,
				.process = p->process,
			};
		else
			b[req->n_breaks++] = (struct target_break){
				.addr = p->addr,
				.process = p->process,
			};
	}
}

const struct spot *
spot_of(const struct gdb_server *s, const struct target_stop *stop)
{
	bool watch = stop->why == TARGET_AT_WATCH;
	size_t n = 0;

	for (size_t i = 0; i < s->spots.len; i++) {
		if (is_watch(&s->spots.v[i]) == watch && n++ == stop->index)
			return &s->spots.v[i];
	}
	return NULL;
}
