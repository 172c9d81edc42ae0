/*
 * Calls that read or write several buffers, cut short. How much they are to do
 * stands in the program's memory: it says less while the call runs, and what it
 * said before when the program, or anybody else, looks at it again.
 */
#include "recorder/chaos_priv.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "recorder/engine.h"
#include "recorder/task.h"

#define VECTORS_MAX 64u
#define LEN_MAX (1ull << 30)

struct vector {
	uint64_t at, n;	   /* struct iovec[n] */
	uint64_t count_at; /* n is there; 0: in args[2] */
	struct iovec v[VECTORS_MAX];
};

/* Others see it at any time. */
static bool
is_shared(const struct task *t, uint64_t addr, uint64_t len)
{
	const struct space *s = task_space(t);

	for (size_t i = 0; i < s->shmaps.len; i++) {
		const struct shmap *m = &s->shmaps.v[i];

		if (m->shared && addr < m->start + m->len &&
		    m->start < addr + len)
			return true;
	}
	return false;
}

static bool
find_message(const struct task *t, struct vector *out)
{
	uint64_t at = t->call.sc.args[1];
	struct msghdr h;

	if (mem_read_all(&task_space(t)->mem, at, &h, sizeof(h)) < 0 ||
	    is_shared(t, at, sizeof(h)))
		return false;
	/* What comes with the bytes goes with the first of them. */
	if (t->call.sc.nr == SYS_sendmsg && h.msg_controllen > 0)
		return false;
	out->at = (uint64_t)(uintptr_t)h.msg_iov;
	out->n = h.msg_iovlen;
	out->count_at = at + offsetof(struct msghdr, msg_iovlen);
	return true;
}

static bool
find(const struct task *t, struct vector *out)
{
	const struct sys_call *sc = &t->call.sc;

	*out = (struct vector){ .at = sc->args[1], .n = sc->args[2] };
	switch (sc->nr) {
	case SYS_preadv2:
	case SYS_pwritev2:
		if ((int64_t)sc->args[3] != -1)
			return false; /* a file */
		break;
	case SYS_readv:
	case SYS_writev:
		break;
	case SYS_recvmsg:
	case SYS_sendmsg:
		if (!find_message(t, out))
			return false;
		break;
	default:
		return false;
	}
	return out->n > 0 && out->n <= VECTORS_MAX &&
	       !is_shared(t, out->at, out->n * sizeof(out->v[0])) &&
	       mem_read_all(&task_space(t)->mem, out->at, out->v,
			    out->n * sizeof(out->v[0])) == 0;
}

uint64_t
vector_len(const struct task *t)
{
	uint64_t len = 0;
	struct vector v;

	if (!find(t, &v))
		return 0;
	for (uint64_t i = 0; i < v.n; i++) {
		if (v.v[i].iov_len > LEN_MAX)
			return 0;
		len += v.v[i].iov_len;
	}
	return len;
}

static void
change(struct cut *c, uint64_t addr, uint64_t was, uint64_t is)
{
	c->word[c->n].addr = addr;
	c->word[c->n].was = was;
	c->word[c->n++].is = is;
}

bool
vector_cut(struct recorder *r, struct task *t, bool seen, uint64_t *part)
{
	struct cut *c = &chaos_task(r, t)->cut;
	uint64_t whole = 0, i = 0;
	struct vector v;

	*c = (struct cut){ 0 };
	if (!find(t, &v) || (seen && v.count_at != 0))
		return false;
	for (; i<v.n && * part> whole + v.v[i].iov_len; i++)
		whole += v.v[i].iov_len;
	if (i == v.n || (seen && whole == 0))
		return false;
	if (seen)
		*part = whole;
	else
		change(c,
		       v.at + i * sizeof(v.v[0]) +
			       offsetof(struct iovec, iov_len),
		       v.v[i].iov_len, *part - whole);
	if (v.count_at != 0)
		change(c, v.count_at, v.n, i + 1);
	else
		call_given(t)[2] = seen ? i : i + 1;
	return true;
}

static void
put(struct task *t, struct cut *c, bool on)
{
	for (unsigned i = 0; i < c->n; i++)
		scratch_write(t, c->word[i].addr,
			      on ? &c->word[i].is : &c->word[i].was,
			      sizeof(c->word[i].is));
	c->on = on;
	if (!on)
		c->n = 0;
}

void
chaos_enters(struct recorder *r, struct task *t, bool seen)
{
	struct cut *c;

	if (r->chaos == NULL)
		return;
	c = &chaos_task(r, t)->cut;
	if (seen && t->call.scratch == NULL)
		c->n = 0; /* there is nothing that stands in for it */
	if (c->n > 0)
		put(t, c, true);
}

void
chaos_leaves(struct recorder *r, struct task *t)
{
	struct cut *c;

	if (r->chaos == NULL)
		return;
	c = &chaos_task(r, t)->cut;
	if (c->on)
		put(t, c, false);
}
