#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
};

struct more {
	int nr, arg, bytes;
};

static const struct more inputs[] = {
#define AGENT_INPUT(nr, arg, bytes) { nr, arg, bytes },
#include "agent/calls.def"
};

static const struct more outputs[] = {
#define AGENT_OUTPUT(nr, arg, bytes) { nr, arg, bytes },
#include "agent/calls.def"
};

#define NINPUTS (sizeof(inputs) / sizeof(inputs[0]))
#define NOUTPUTS (sizeof(outputs) / sizeof(outputs[0]))
#define NROWS (sizeof(rows) / sizeof(rows[0]))

/* The agent answers as the recorder would, or the recorder follows. */
static int
decision_of(const struct row *row)
{
	if (strcmp(row->class, "CPU") == 0 || strcmp(row->class, "ENOSYS") == 0)
		return SYS_EMULATE;
	return strcmp(row->class, "TID") == 0 ? SYS_SPECIAL : SYS_RUN;
}

Test(recorder_agent, a_call_that_the_agent_makes_is_an_ordinary_one)
{
	for (size_t i = 0; i < NROWS; i++) {
		const struct sys_desc *d = sys_desc(rows[i].nr);

		cr_assert_str_eq(d->name, rows[i].name);
		if (strcmp(rows[i].class, "MAP") == 0) {
			cr_assert_eq(d->replay, SYS_MEMORY, "%s", d->name);
			continue;
		}
		if (strcmp(rows[i].class, "TLS") == 0) {
			cr_assert_eq(d->replay, SYS_TLS, "%s", d->name);
			continue;
		}
		if (strcmp(rows[i].class, "EXIT") == 0) {
			cr_assert_eq(d->replay, SYS_TASK, "%s", d->name);
			cr_assert(d->flags & SYSF_NORETURN, "%s", d->name);
			continue;
		}
		cr_assert_eq(d->decision, decision_of(&rows[i]), "%s", d->name);
		cr_assert_eq(d->replay, SYS_DATA, "%s", d->name);
		cr_assert_null(special_find(rows[i].nr)->enter, "%s", d->name);
	}
}

/* Classes whose code knows what comes out, and how much. */
static const char *const knowing[] = {
	"WRITEV", "IOCTL",   "FCNTL",	"POLL",	    "PPOLL", "EPOLL", "SELECT",
	"ACCEPT", "RECV",    "NAME",	"FUTEX",    "COPY",  "MASK",  "ACTION",
	"READV",  "RECVMSG", "SENDMSG", "SENDFILE", "TLS"
};

static bool
knows(const struct row *row)
{
	for (size_t i = 0; i < sizeof(knowing) / sizeof(knowing[0]); i++)
		if (strcmp(row->class, knowing[i]) == 0)
			return true;
	return false;
}

/* A call that ends in EINTR is made again where it traps. */
static bool
comes_out(const struct sys_arg *a)
{
	return (a->dir & DIR_OUT) && a->when != WHEN_INTR;
}

static const struct more *
more_of(const struct more *v, size_t n, int nr, int arg)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].nr == nr && v[i].arg == arg + 1)
			return &v[i];
	return NULL;
}

static void
check_output(const struct row *row, const struct sys_arg *a, int k)
{
	const struct more *m = more_of(outputs, NOUTPUTS, row->nr, k);
	int bytes = m != NULL ? m->bytes : row->bytes;

	cr_assert(m != NULL || row->out == k + 1, "%s", row->name);
	if (bytes != 0) {
		cr_assert_eq(a->len_from, LEN_CONST, "%s", row->name);
		cr_assert_eq(a->len_k, bytes, "%s", row->name);
		return;
	}
	cr_assert_eq(a->len_from, LEN_RET, "%s", row->name);
	cr_assert_eq(a->len_k, 1, "%s", row->name);
	/* its size is the argument behind it */
	cr_assert_eq(a->len_arg, k + 1, "%s", row->name);
}

Test(recorder_agent, what_it_writes_down_is_what_the_table_says_is_written)
{
	for (size_t i = 0; i < NROWS; i++) {
		const struct sys_desc *d = sys_desc(rows[i].nr);

		for (int k = 0; k < d->nargs && !knows(&rows[i]); k++)
			if (comes_out(&d->args[k]))
				check_output(&rows[i], &d->args[k], k);
	}
}

Test(recorder_agent, it_keeps_the_paths)
{
	for (size_t i = 0; i < NROWS; i++) {
		const struct sys_desc *d = sys_desc(rows[i].nr);
		int path = rows[i].path;

		for (int k = 0; k < d->nargs; k++)
			if (d->args[k].type == ARG_PATH) {
				cr_assert_eq(path & 7, k + 1, "%s", d->name);
				path >>= 3;
			}
		cr_assert_eq(path, 0, "%s", d->name);
	}
}

/* Structures that go in and no class knows: AGENT_INPUT has them. */
Test(recorder_agent, it_keeps_what_goes_in)
{
	for (size_t i = 0; i < NROWS; i++) {
		const struct sys_desc *d = sys_desc(rows[i].nr);

		for (int k = 0; k < d->nargs && !knows(&rows[i]); k++) {
			const struct sys_arg *a = &d->args[k];
			const struct more *m =
				more_of(inputs, NINPUTS, rows[i].nr, k);

			if (!(a->dir & DIR_IN) || a->type == ARG_PATH ||
			    a->len_from == LEN_RET || comes_out(a) ||
			    strcmp(rows[i].class, "SEND") == 0 ||
			    strcmp(rows[i].class, "RLIMIT") == 0)
				continue;
			cr_assert_not_null(m, "%s, argument %d", d->name, k);
			if (m->bytes != 0)
				cr_assert_eq(a->len_k, m->bytes, "%s", d->name);
			else
				cr_assert_eq(a->len_arg, k + 1, "%s", d->name);
		}
	}
}

static uint64_t regs[AGENT_REGS];

/* A record of getpid with one piece of 5 bytes at 0x1000. */
struct one {
	struct agent_rec rec;
	uint64_t pc, r15; /* the registers that have changed */
	struct agent_piece piece;
	char bytes[8];
};

static struct one
one(void)
{
	return (struct one){
		.rec = { .len = sizeof(struct one),
			 .nr = 39,
			 .npieces = 1,
			 .changed = 1ul << AGENT_PC | 1ul << AGENT_R15 },
		.pc = 0x401000,
		.r15 = 15,
		.piece = { .addr = 0x1000, .len = 5 },
		.bytes = "hello",
	};
}

Test(recorder_agent, memory_is_what_the_record_has_of_it)
{
	struct one o = one();
	struct agent_record d;
	char buf[8];

	cr_assert(agent_record_at((uint8_t *)&o, sizeof(o), regs, &d));
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

	cr_assert_not(agent_record_at((uint8_t *)&o, sizeof(o) - 8, regs, &d));
	o.rec.len = 8;
	cr_assert_not(agent_record_at((uint8_t *)&o, sizeof(o), regs, &d));
	o = one();
	o.rec.nr = 59; /* execve is never the agent's */
	cr_assert_not(agent_record_at((uint8_t *)&o, sizeof(o), regs, &d));
}

Test(recorder_agent,
     registers_that_are_not_in_a_record_are_those_of_the_one_before)
{
	struct agent_record d;
	struct one o = one();

	regs[AGENT_RBX] = 3;
	regs[AGENT_R15] = 4;
	cr_assert(agent_record_at((uint8_t *)&o, sizeof(o), regs, &d));
	cr_assert_eq(d.regs[AGENT_PC], 0x401000u);
	cr_assert_eq(d.regs[AGENT_RBX], 3u);
	cr_assert_eq(d.regs[AGENT_R15], 15u);
	o.rec.changed |= 1ul << AGENT_REGS;
	cr_assert_not(agent_record_at((uint8_t *)&o, sizeof(o), regs, &d));
	o.rec.changed = AGENT_ALL_REGS;
	cr_assert_not(agent_record_at((uint8_t *)&o, sizeof(o), regs, &d));
}

Test(recorder_agent, a_piece_that_is_longer_than_its_record_is_not_read)
{
	struct agent_record d;
	struct one o = one();
	char buf[8];

	o.piece.len = 9;
	cr_assert(agent_record_at((uint8_t *)&o, sizeof(o), regs, &d));
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
		((struct agent_rec *)(void *)ring)->changed = 0;
		cr_assert(agent_record_at((uint8_t *)ring, n, regs, &d));
		for (uint64_t addr = 0; addr < 300; addr += 7)
			agent_record_read(&d, addr, buf, sizeof(buf));
		mem_free(ring);
	}
}

static struct agent_file *
load(const struct recorder *r, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	return agent_file_load(r, fd);
}

/* Sites of each kind, and branches; of another file nothing is known. */
Test(recorder_agent, where_calls_come_from_is_known_to_the_next_recording)
{
	const struct agent_known sites[2] = {
		{ .after = 77, .plan = { .pre = 5 }, .code = "moved" },
		{ .after = 0x12345678,
		  .plan = { .hole = -20 },
		  .code = { 0x0f, 0x05 },
		  .hole = { 0x66, 0x90, 1, 2, 3, 4, 5 } },
	};
	char dir[] = "/tmp/pt-known.XXXXXX";
	struct recorder r = { .opts = { .known_dir = mkdtemp(dir) } };
	struct agent_file *f = load(&r, "/bin/sh");

	cr_assert(!f->scanned);
	f->targets.v = mem_calloc(2, sizeof(uint64_t));
	f->targets.v[1] = UINT64_MAX;
	f->targets.len = 2;
	vec_push(&f->known, sites[0]);
	vec_push(&f->known, sites[1]);
	f->scanned = f->grown = true;
	agent_file_free(&r, f);
	f = load(&r, "/bin/sh");
	cr_assert(f->scanned && !f->grown);
	cr_assert_eq(f->targets.len, 2u);
	cr_assert_eq(f->targets.v[0], 0u);
	cr_assert_eq(f->targets.v[1], UINT64_MAX);
	cr_assert_eq(f->known.len, 2u);
	cr_assert_eq(memcmp(f->known.v, sites, sizeof(sites)), 0);
	agent_file_free(&r, f);
	f = load(&r, "/bin/true");
	cr_assert(!f->scanned && f->known.len == 0);
	agent_file_free(&r, f);
}
