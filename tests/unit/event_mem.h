#ifndef TESTS_UNIT_EVENT_MEM_H
#define TESTS_UNIT_EVENT_MEM_H

/* Hand-made memory of a task: one piece, everything else is unmapped. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event/sys.h"

#define MEM_BASE 0x10000u
#define MEM_SIZE 0x10000u

struct fake {
	uint8_t bytes[MEM_SIZE];
	struct arena arena;
	struct sys_mem mem;
	struct sys_call call;
	struct sys_range out[64];
	int n;
};

static inline int64_t
fake_read(void *ctx, uint64_t addr, void *buf, size_t n)
{
	struct fake *f = ctx;

	if (addr < MEM_BASE || addr >= MEM_BASE + MEM_SIZE)
		return -EIO;
	if (n > MEM_BASE + MEM_SIZE - addr)
		n = MEM_BASE + MEM_SIZE - addr;
	memcpy(buf, f->bytes + (addr - MEM_BASE), n);
	return (int64_t)n;
}

static inline void *
fake_at(struct fake *f, uint64_t addr)
{
	return f->bytes + (addr - MEM_BASE);
}

static inline void
fake_u64(struct fake *f, uint64_t addr, uint64_t v)
{
	memcpy(fake_at(f, addr), &v, sizeof(v));
}

static inline void
fake_u32(struct fake *f, uint64_t addr, uint32_t v)
{
	memcpy(fake_at(f, addr), &v, sizeof(v));
}

/* Begin a call: fill memory first. */
static inline void
fake_enter(struct fake *f, int nr, uint64_t a, uint64_t b, uint64_t c,
	   uint64_t d, uint64_t e, uint64_t g)
{
	const uint64_t args[6] = { a, b, c, d, e, g };

	f->mem = (struct sys_mem){ fake_read, f };
	f->call.nr = nr;
	memcpy(f->call.args, args, sizeof(args));
	f->call.ret = 0;
	f->call.arena = &f->arena;
	sys_call_enter(&f->call, &f->mem, NULL);
}

static inline int
fake_outputs(struct fake *f, int64_t ret, bool interrupted)
{
	f->call.ret = ret;
	f->n = sys_call_outputs(&f->call, &f->mem, interrupted, f->out, 64);
	return f->n;
}

static inline int
fake_outbufs(struct fake *f)
{
	f->n = sys_call_outbufs(&f->call, f->out, 64);
	return f->n;
}

static inline int
fake_inputs(struct fake *f, int64_t ret)
{
	f->call.ret = ret;
	f->n = sys_call_inputs(&f->call, &f->mem, f->out, 64);
	return f->n;
}

static inline bool
fake_has(const struct fake *f, uint64_t addr, uint64_t len)
{
	for (int i = 0; i < f->n; i++)
		if (f->out[i].addr == addr && f->out[i].len == len)
			return true;
	return false;
}

static inline FILE *
test_data(const char *name)
{
	const char *top = getenv("TOP_SRCDIR");
	char path[4096];

	snprintf(path, sizeof(path), "%s/tests/data/%s", top ? top : ".", name);
	return fopen(path, "r");
}

#endif
