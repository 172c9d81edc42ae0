#include "tests/unit/store_gen.h"

#include <stdio.h>
#include <sys/syscall.h>

#include "base/mem.h"

void
gen_init(struct gen *g, uint64_t seed)
{
	*g = (struct gen){ .rng = seed * 2 + 1, .task = 1 };
}

void
gen_free(struct gen *g)
{
	buf_free(&g->payload);
}

/* xorshift64* */
static uint64_t
rnd(struct gen *g, uint64_t below)
{
	g->rng ^= g->rng >> 12;
	g->rng ^= g->rng << 25;
	g->rng ^= g->rng >> 27;
	return (g->rng * 0x2545f4914f6cdd1du >> 16) % below;
}

static void
call(struct gen *g, struct event *ev, int nr, int64_t ret, uint64_t a0,
     uint64_t a1, uint64_t a2)
{
	ev->call = (int16_t)nr;
	ev->ret = ret;
	ev->args[0] = a0;
	ev->args[1] = a1;
	ev->args[2] = a2;
	ev->pc = 0x7ffff7d14000u + (uint64_t)nr * 64 + 18;
	ev->dur_ns = 300 + rnd(g, 2000);
	if (ret < 0)
		ev->flags |= EVF_ERROR;
}

static void
text_in(struct gen *g, uint64_t arg, const char *text)
{
	item_put_bytes(&g->payload, ITEM_IN, arg, span_str(text));
}

/* open a file, look at it, read it, close it */
static void
file_pattern(struct gen *g, struct event *ev)
{
	char text[80];

	switch (g->step) {
	case 0:
		snprintf(text, sizeof(text), "/usr/share/doc/package%u/file%u",
			 (unsigned)rnd(g, 300), (unsigned)rnd(g, 20));
		text_in(g, 1, text);
		call(g, ev, SYS_openat, rnd(g, 8) ? 3 : -2, (uint64_t)-100,
		     0x555555560000u + rnd(g, 64) * 16, 0);
		break;
	case 1:
		memset(text, (int)rnd(g, 4), sizeof(text));
		item_put_mem(&g->payload, 0x7fffffffd000,
			     span_of(text, sizeof(text)));
		call(g, ev, SYS_newfstatat, 0, 3, 0x7ffff7f00000,
		     0x7fffffffd000);
		break;
	case 2:
		snprintf(text, sizeof(text), "line %u of the file\n",
			 (unsigned)rnd(g, 1000000));
		item_put_mem(&g->payload, 0x555555580000, span_str(text));
		call(g, ev, SYS_read, (int64_t)strlen(text), 3, 0x555555580000,
		     4096);
		break;
	default:
		call(g, ev, SYS_close, 0, 3, 0, 0);
	}
	g->step = (g->step + 1) % 4;
}

static void
io_pattern(struct gen *g, struct event *ev)
{
	char text[64];

	if (g->step % 2) {
		snprintf(text, sizeof(text), "request %lu of client %u\n",
			 (unsigned long)g->pos, (unsigned)rnd(g, 50));
		text_in(g, 1, text);
		call(g, ev, SYS_write, (int64_t)strlen(text), 1, 0x555555590000,
		     strlen(text));
	} else {
		call(g, ev, SYS_pread64, 4096, 5, 0x555555600000, 4096);
		ev->args[3] = g->pos * 4096;
		g->pos++;
	}
	g->step++;
}

static void
wait_pattern(struct gen *g, struct event *ev)
{
	if (g->step % 3 == 0)
		call(g, ev, SYS_futex, rnd(g, 3) ? 0 : -11,
		     0x7ffff7c01000u + rnd(g, 4) * 64, 0x80 | rnd(g, 2), 1);
	else if (g->step % 3 == 1)
		call(g, ev, SYS_clock_gettime, 0, 1, 0x7fffffffd800, 0);
	else
		call(g, ev, SYS_epoll_wait, (int64_t)rnd(g, 3), 4,
		     0x7ffff0001000, 64);
	g->step++;
}

void
gen_next(struct gen *g, struct event *ev)
{
	buf_clear(&g->payload);
	*ev = (struct event){ .seq = ++g->seq,
			      .flags = EVF_RUNS,
			      .kind = EV_syscall };
	g->time_ns += 500 + rnd(g, 4000);
	if (rnd(g, 24) == 0) {
		g->pattern = (unsigned)rnd(g, 3);
		g->task = 1 + (uint32_t)rnd(g, 6);
		g->step = 0;
	}
	ev->time_ns = g->time_ns;
	ev->task = g->task;
	ev->sp = 0x7fffffffe000u - g->task * 0x100000u - rnd(g, 8) * 0x30;
	ev->reghash = (uint32_t)rnd(g, 1u << 20) * 2654435761u;
	switch (g->pattern) {
	case 0:
		file_pattern(g, ev);
		break;
	case 1:
		io_pattern(g, ev);
		break;
	default:
		wait_pattern(g, ev);
	}
	ev->payload = buf_span(&g->payload);
}
