#include "gdb/divert.h"

#include <signal.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"
#include "gdb/spot.h"
#include "gdb/thread.h"
#include "replayer/target_divert.h"

#define ARGUMENTS_MAX (1ul << 20) /* of stack, below what is in use */
#define RESULT_MAX (1ul << 16)	  /* of memory that a call returned */

struct divert {
	struct diversion *d; /* NULL = no copy */
	bool expected;	     /* a call begins */
	bool shown, ran;     /* ran: since it was shown */
	uint32_t task;
	struct regs was; /* the recorded ones */
	uint64_t result; /* of the last call that is over */
};

bool
divert_is_shown(const struct gdb_server *s)
{
	return s->divert && s->divert->shown;
}

void
divert_expect(struct gdb_server *s)
{
	if (!s->divert)
		s->divert = mem_zalloc(sizeof(*s->divert));
	s->divert->expected = true;
}

static void
show(struct gdb_server *s, bool copy)
{
	struct divert *v = s->divert;

	v->d->ops->show(v->d, copy);
	v->shown = copy;
	v->ran = false;
	threads_forget(s);
}

void
divert_end(struct gdb_server *s)
{
	struct divert *v = s->divert;

	if (!v)
		return;
	if (v->d) {
		v->d->ops->close(v->d);
		threads_forget(s);
	}
	mem_free(v);
	s->divert = NULL;
}

static int
refuse(struct err *err)
{
	return err_set(err, E_UNSUPPORTED,
		       "what was recorded cannot be changed: memory and "
		       "registers are read-only in a replay");
}

/* Make a copy of now for a call. */
static int
begin(struct gdb_server *s, struct err *err)
{
	uint32_t task = thread_current(s);
	struct divert *v;
	int ret;

	divert_end(s);
	divert_expect(s);
	v = s->divert;
	ret = s->t->ops->regs(s->t, task, &v->was, err);
	if (ret == 0)
		ret = s->t->ops->divert(s->t, &v->d, err);
	if (ret < 0)
		return ret;
	v->task = task;
	show(s, true);
	return 0;
}

int
divert_write(struct gdb_server *s, uint64_t addr, struct span bytes,
	     struct err *err)
{
	struct divert *v = s->divert;
	struct regs g;
	int ret;

	/* gdb asks so whether it may send binary data. */
	if (bytes.len == 0)
		return 0;
	if (v && v->d && !v->shown && v->result && addr >= v->result &&
	    addr - v->result < RESULT_MAX) {
		show(s, true);
	} else if (!divert_is_shown(s)) {
		ret = v && v->expected
			      ? s->t->ops->regs(s->t, thread_current(s), &g,
						err)
			      : refuse(err);
		if (ret < 0)
			return ret;
		if (addr >= g.rsp || g.rsp - addr > ARGUMENTS_MAX)
			return refuse(err);
		ret = begin(s, err);
		if (ret < 0)
			return ret;
	}
	v = s->divert;
	return v->d->ops->write(v->d, v->task, addr, bytes, err);
}

/* The registers are those of before the call: it is over. */
static void
look_for_end(struct gdb_server *s, const struct regs *now)
{
	struct divert *v = s->divert;
	struct regs a = *now, b = v->was;

	a.orig_rax = b.orig_rax = 0;
	if (v->ran && memcmp(&a, &b, sizeof(a)) == 0) {
		show(s, false);
		v->expected = false;
	}
}

int
divert_set_regs(struct gdb_server *s, const struct regs *regs, struct err *err)
{
	struct divert *v = s->divert;
	int ret = 0;

	if (!divert_is_shown(s))
		ret = v && v->expected ? begin(s, err) : refuse(err);
	if (ret < 0)
		return ret;
	v = s->divert;
	ret = v->d->ops->set_regs(v->d, v->task, regs, err);
	if (ret == 0)
		look_for_end(s, regs);
	return ret;
}

int
divert_set_xstate(struct gdb_server *s, struct span xstate, struct err *err)
{
	struct divert *v = s->divert;
	int ret = 0;

	if (!divert_is_shown(s))
		ret = v && v->expected ? begin(s, err) : refuse(err);
	v = s->divert;
	return ret < 0 ? ret
		       : v->d->ops->set_xstate(v->d, v->task, xstate, err);
}

/* ---- running it */

static void
print(void *ctx, struct span bytes)
{
	struct buf text = { 0 };

	buf_u8(&text, 'O');
	hex_put(&text, bytes.p, bytes.len);
	server_send(ctx, buf_span(&text));
	buf_free(&text);
}

static void
say(struct gdb_server *s, const char *what)
{
	struct buf text = { 0 };

	buf_printf(&text, "pastime: %s\n", what);
	print(s, buf_span(&text));
	buf_free(&text);
}

static bool
go_on(void *ctx)
{
	return server_go_on(ctx, 0, 0);
}

static void
tell(struct gdb_server *s, const struct diversion_stop *stop)
{
	struct divert *v = s->divert;
	struct regs g;

	s->stop = (struct stop_reason){ .why = stop->at_break ? WHY_SWBREAK
							      : WHY_SIGNAL,
					.task = v->task,
					.signo = stop->signo };
	if (s->t->ops->regs(s->t, v->task, &g, NULL) == 0)
		v->result = g.rax;
	if (stop->note)
		say(s, stop->note);
}

bool
divert_resume(struct gdb_server *s, bool step)
{
	struct divert *v = s->divert;
	struct diversion_req req = {
		.step = step, .output = print, .go_on = go_on, .ctx = s
	};
	struct diversion_stop stop = { .signo = SIGTRAP };
	VEC(uint64_t) breaks = { 0 };
	struct err err = { 0 };
	struct regs g;

	if (!divert_is_shown(s))
		return false;
	/* Nothing was called. */
	if (!v->ran && s->t->ops->regs(s->t, v->task, &g, NULL) == 0 &&
	    g.rip == v->was.rip && g.rsp == v->was.rsp)
		return false;
	for (size_t i = 0; i < s->spots.len; i++) {
		if (s->spots.v[i]->kind <= SPOT_HW)
			vec_push(&breaks, s->spots.v[i]->addr);
	}
	req.task = v->task;
	req.breaks = breaks.v;
	req.n_breaks = breaks.len;
	v->ran = true;
	if (v->d->ops->run(v->d, &req, &stop, &err) < 0) {
		say(s, err.text);
		stop.signo = SIGINT;
	}
	vec_free(&breaks);
	threads_forget(s);
	tell(s, &stop);
	return true;
}
