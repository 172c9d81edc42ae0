#include <criterion/criterion.h>
#include <string.h>

#include "event/sys.h"
#include "recorder/agent_priv.h"
#include "recorder/special.h"

struct row {
	int nr;
	const char *name, *class;
	int path, out, bytes;
};

static const struct row rows[] = {
#define AGENT_ROW(nr, name, class, path, out, bytes)                           \
	{ nr, #name, #class, path, out, bytes },
#include "agent/calls.def"
#undef AGENT_ROW
};

#define NROWS (sizeof(rows) / sizeof(rows[0]))

Test(recorder_agent, a_call_that_the_agent_makes_is_an_ordinary_one)
{
	for (size_t i = 0; i < NROWS; i++) {
		const struct sys_desc *d = sys_desc(rows[i].nr);

		cr_assert_str_eq(d->name, rows[i].name);
		cr_assert_eq(d->decision, SYS_RUN, "%s", d->name);
		cr_assert_eq(d->replay, SYS_DATA, "%s", d->name);
		cr_assert_null(special_find(rows[i].nr)->enter, "%s", d->name);
	}
}

Test(recorder_agent, what_it_writes_down_is_what_the_table_says_is_written)
{
	for (size_t i = 0; i < NROWS; i++) {
		const struct sys_desc *d = sys_desc(rows[i].nr);

		for (int k = 0; k < d->nargs; k++) {
			const struct sys_arg *a = &d->args[k];

			/* structures that commands of fcntl have trap */
			if (!(a->dir & DIR_OUT) || a->len_from == LEN_CUSTOM)
				continue;
			if (strcmp(rows[i].class, "TWO") == 0 && k == 1) {
				cr_assert_eq(a->len_k, 8, "%s", d->name);
				continue;
			}
			cr_assert_eq(rows[i].out, k + 1, "%s", d->name);
			if (rows[i].bytes != 0) {
				cr_assert_eq(a->len_from, LEN_CONST, "%s",
					     d->name);
				cr_assert_eq(a->len_k, rows[i].bytes, "%s",
					     d->name);
			} else {
				cr_assert_eq(a->len_from, LEN_RET, "%s",
					     d->name);
				cr_assert_eq(a->len_k, 1, "%s", d->name);
				/* its size is the argument behind it */
				cr_assert_eq(a->len_arg, k + 1, "%s", d->name);
			}
		}
	}
}

Test(recorder_agent, it_keeps_the_paths)
{
	for (size_t i = 0; i < NROWS; i++) {
		const struct sys_desc *d = sys_desc(rows[i].nr);

		for (int k = 0; k < d->nargs; k++)
			if (d->args[k].type == ARG_PATH)
				cr_assert_eq(rows[i].path, k + 1, "%s",
					     d->name);
	}
}

/* A record of getpid with one piece of 5 bytes at 0x1000. */
struct one {
	struct agent_rec rec;
	struct agent_piece piece;
	char bytes[8];
};

static struct one
one(void)
{
	return (struct one){
		.rec = { .len = sizeof(struct one), .nr = 39, .npieces = 1 },
		.piece = { .addr = 0x1000, .len = 5 },
		.bytes = "hello",
	};
}

Test(recorder_agent, memory_is_what_the_record_has_of_it)
{
	struct one o = one();
	struct agent_record d;
	char buf[8];

	cr_assert(agent_record_at((uint8_t *)&o, sizeof(o), &d));
	cr_assert_eq(agent_record_read(&d, 0x1000, buf, 8), 5);
	cr_assert_arr_eq(buf, "hello", 5);
	cr_assert_eq(agent_record_read(&d, 0x1003, buf, 1), 1);
	cr_assert_eq(buf[0], 'l');
	cr_assert_lt(agent_record_read(&d, 0x1005, buf, 1), 0);
	cr_assert_lt(agent_record_read(&d, 0xfff, buf, 1), 0);
}

Test(recorder_agent, a_record_that_cannot_be_one_is_none)
{
	struct agent_record d;
	struct one o = one();

	cr_assert_not(agent_record_at((uint8_t *)&o, sizeof(o) - 8, &d));
	o.rec.len = 8;
	cr_assert_not(agent_record_at((uint8_t *)&o, sizeof(o), &d));
	o = one();
	o.rec.nr = 59; /* execve is never the agent's */
	cr_assert_not(agent_record_at((uint8_t *)&o, sizeof(o), &d));
}

Test(recorder_agent, a_piece_that_is_longer_than_its_record_is_not_read)
{
	struct agent_record d;
	struct one o = one();
	char buf[8];

	o.piece.len = 9;
	cr_assert(agent_record_at((uint8_t *)&o, sizeof(o), &d));
	cr_assert_lt(agent_record_read(&d, 0x1000, buf, 8), 0);
	o.piece.len = UINT64_MAX;
	cr_assert_lt(agent_record_read(&d, 0x1000, buf, 8), 0);
}

/* Whatever is there, nothing outside is touched (sanitizers look). */
Test(recorder_agent, any_bytes_may_stand_in_a_ring)
{
	unsigned seed = 7;

	for (int i = 0; i < 20000; i++) {
		size_t n = sizeof(struct agent_rec) + (unsigned)i % 64 * 8;
		uint64_t *ring = mem_alloc(n);
		struct agent_record d;
		char buf[256];

		for (size_t k = 0; k < n / 8; k++)
			ring[k] = (uint64_t)rand_r(&seed) % 300;
		((struct agent_rec *)(void *)ring)->nr = 39;
		((struct agent_rec *)(void *)ring)->len = (uint32_t)n;
		cr_assert(agent_record_at((uint8_t *)ring, n, &d));
		for (uint64_t addr = 0; addr < 300; addr += 7)
			agent_record_read(&d, addr, buf, sizeof(buf));
		mem_free(ring);
	}
}
