/*
 * Calls that read or write several buffers, cut short. How much they are to do
 * stands in the program's memory. A write finds a copy that says less. Of a
 * read the kernel answers there, too: it says less while the call runs, and
 * what it said before when the program, or anybody else, looks at it again.
 */
#include "recorder/chaos_named.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "recorder/engine.h"
#include "recorder/task.h"

#define VECTORS_MAX 64u
#define LEN_MAX (1ull << 30)

struct vector {
	uint64_t at, n;	   /* struct iovec[n] */
	uint64_t count_at; /* n is there, in a message; 0: in args[2] */
	bool writes;
	struct msghdr message;
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
	struct msghdr *h = &out->message;

	if (mem_read_all(&task_space(t)->mem, at, h, sizeof(*h)) < 0 ||
	    (!out->writes && is_shared(t, at, sizeof(*h))))
		return false;
	/* What comes with the bytes goes with the first of them. */
	if (out->writes && h->msg_controllen > 0)
		return false;
	out->at = (uint64_t)(uintptr_t)h->msg_iov;
	out->n = h->msg_iovlen;
	out->count_at = at + offsetof(struct msghdr, msg_iovlen);
	return true;
}

static bool
find(const struct task *t, struct vector *out)
{
	const struct sys_call *sc = &t->call.sc;

	out->at = sc->args[1];
	out->n = sc->args[2];
	out->count_at = 0;
	out->writes = sc->nr == SYS_writev || sc->nr == SYS_pwritev2 ||
		      sc->nr == SYS_sendmsg;
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
	       (out->writes ||
		!is_shared(t, out->at, out->n * sizeof(out->v[0]))) &&
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

/* Show the kernel a copy of n of them. */
static int
cut_copy(struct recorder *r, struct task *t, struct vector *v, uint64_t n,
	 struct err *err)
{
	const struct mem *m = &task_space(t)->mem;
	size_t len = n * sizeof(v->v[0]);
	uint64_t at = 0;
	int ret = scratch_room(r, t, sizeof(v->message) + len, &at, err);

	if (ret != 0)
		return ret < 0 ? ret : VECTOR_AGAIN;
	if (at == 0 || mem_write_all(m, at + sizeof(v->message), v->v, len) < 0)
		return VECTOR_WHOLE;
	if (v->count_at == 0) {
		call_given(t)[1] = at + sizeof(v->message);
		call_given(t)[2] = n;
		return VECTOR_CUT;
	}
	v->message.msg_iov =
		(struct iovec *)(uintptr_t)(at + sizeof(v->message));
	v->message.msg_iovlen = n;
	if (mem_write_all(m, at, &v->message, sizeof(v->message)) < 0)
		return VECTOR_WHOLE;
	call_given(t)[1] = at;
	return VECTOR_CUT;
}

int
vector_cut(struct recorder *r, struct task *t, uint64_t part, struct err *err)
{
	struct cut *c = &chaos_task(r, t)->cut;
	uint64_t whole = 0, i = 0;
	struct vector v;

	*c = (struct cut){ 0 };
	if (!find(t, &v))
		return VECTOR_WHOLE;
	while (i < v.n && part > whole + v.v[i].iov_len)
		whole += v.v[i++].iov_len;
	if (i == v.n)
		return VECTOR_WHOLE;
	if (v.writes) {
		v.v[i].iov_len = part - whole;
		return cut_copy(r, t, &v, i + 1, err);
	}
	change(c, v.at + i * sizeof(v.v[0]) + offsetof(struct iovec, iov_len),
	       v.v[i].iov_len, part - whole);
	if (v.count_at != 0)
		change(c, v.count_at, v.n, i + 1);
	else
		call_given(t)[2] = i + 1;
	return VECTOR_CUT;
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
	named_leaves(r, t);
	c = &chaos_task(r, t)->cut;
	if (c->on)
		put(t, c, false);
}
