/*
 * Registers as gdb numbers them: the target description names them in order,
 * the table says where each is. What a CPU does not have is left out.
 */
#include "gdb/divert.h"
#include "gdb/thread.h"

#include <cpuid.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "event/regs.h"

#define XCR0_AT 464u /* of a ptrace xstate, by the kernel */
#define LEGACY_SIZE 512u
#define XSAVE_LEAF 0xdu

/* Where a register is kept. COMPONENT + n: state component n of XSAVE. */
enum place {
	GENERAL,  /* struct regs */
	X87_WORD, /* 16 bits of the legacy area, as 32 */
	X87_TAG,  /* abridged there */
	X87_SEG,  /* bits 32-47, as 32 */
	X87_OP,
	COMPONENT = 16,
};

#define LEGACY (COMPONENT + 0) /* the FXSAVE area: x87 and SSE */
#define AVX (COMPONENT + 2)
#define OPMASK (COMPONENT + 5)
#define ZMM_HIGH (COMPONENT + 6) /* upper halves of 0-15 */
#define ZMM_16 (COMPONENT + 7)	 /* 16-31 */
#define PKRU (COMPONENT + 9)

struct row {
	const char *name; /* with %u when count > 1 */
	uint8_t first, count;
	uint8_t bytes;
	uint8_t place;
	uint16_t offset, stride;
	const char *type;
};

struct feature {
	const char *name;
	uint64_t needs; /* bits of XCR0 */
	const char *types;
	const struct row *rows; /* name NULL ends them */
};

/* clang-format off */
#define R(name, member, type) \
	{ name, 0, 1, 8, GENERAL, offsetof(struct regs, member), 0, type }
#define R32(name, member, type) \
	{ name, 0, 1, 4, GENERAL, offsetof(struct regs, member), 0, type }
#define X87(name, place, offset) { name, 0, 1, 4, place, offset, 0, "int" }

static const struct row core[] = {
	R("rax", rax, "int64"), R("rbx", rbx, "int64"),
	R("rcx", rcx, "int64"), R("rdx", rdx, "int64"),
	R("rsi", rsi, "int64"), R("rdi", rdi, "int64"),
	R("rbp", rbp, "data_ptr"), R("rsp", rsp, "data_ptr"),
	R("r8", r8, "int64"), R("r9", r9, "int64"),
	R("r10", r10, "int64"), R("r11", r11, "int64"),
	R("r12", r12, "int64"), R("r13", r13, "int64"),
	R("r14", r14, "int64"), R("r15", r15, "int64"),
	R("rip", rip, "code_ptr"), R32("eflags", eflags, "i386_eflags"),
	R32("cs", cs, "int32"), R32("ss", ss, "int32"),
	R32("ds", ds, "int32"), R32("es", es, "int32"),
	R32("fs", fs, "int32"), R32("gs", gs, "int32"),
	{ "st%u", 0, 8, 10, LEGACY, 32, 16, "i387_ext" },
	X87("fctrl", X87_WORD, 0), X87("fstat", X87_WORD, 2),
	X87("ftag", X87_TAG, 4),
	X87("fiseg", X87_SEG, 8), X87("fioff", LEGACY, 8),
	X87("foseg", X87_SEG, 16), X87("fooff", LEGACY, 16),
	X87("fop", X87_OP, 6),
	{ 0 },
};

static const struct row sse[] = {
	{ "xmm%u", 0, 16, 16, LEGACY, 160, 16, "vec128" },
	{ "mxcsr", 0, 1, 4, LEGACY, 24, 0, "i386_mxcsr" },
	{ 0 },
};

static const struct row linux_rows[] = {
	R("orig_rax", orig_rax, "int"),
	{ 0 },
};

static const struct row segments[] = {
	R("fs_base", fs_base, "int"),
	R("gs_base", gs_base, "int"),
	{ 0 },
};

static const struct row avx[] = {
	{ "ymm%uh", 0, 16, 16, AVX, 0, 16, "uint128" },
	{ 0 },
};

static const struct row avx512[] = {
	{ "xmm%u", 16, 16, 16, ZMM_16, 0, 64, "vec128" },
	{ "ymm%uh", 16, 16, 16, ZMM_16, 16, 64, "uint128" },
	{ "k%u", 0, 8, 8, OPMASK, 0, 8, "uint64" },
	{ "zmm%uh", 0, 16, 32, ZMM_HIGH, 0, 32, "v2ui128" },
	{ "zmm%uh", 16, 16, 32, ZMM_16, 32, 64, "v2ui128" },
	{ 0 },
};

static const struct row pkeys[] = {
	{ "pkru", 0, 1, 4, PKRU, 0, 0, "uint32" },
	{ 0 },
};

#define VEC128 \
	"<vector id=\"v8bf16\" type=\"bfloat16\" count=\"8\"/>" \
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>" \
	"<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>" \
	"<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>" \
	"<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>" \
	"<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>" \
	"<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>" \
	"<union id=\"vec128\">" \
	"<field name=\"v8_bfloat16\" type=\"v8bf16\"/>" \
	"<field name=\"v4_float\" type=\"v4f\"/>" \
	"<field name=\"v2_double\" type=\"v2d\"/>" \
	"<field name=\"v16_int8\" type=\"v16i8\"/>" \
	"<field name=\"v8_int16\" type=\"v8i16\"/>" \
	"<field name=\"v4_int32\" type=\"v4i32\"/>" \
	"<field name=\"v2_int64\" type=\"v2i64\"/>" \
	"<field name=\"uint128\" type=\"uint128\"/>" \
	"</union>"

#define FLAG(name, bit) \
	"<field name=\"" name "\" start=\"" #bit "\" end=\"" #bit "\"/>"

#define EFLAGS \
	"<flags id=\"i386_eflags\" size=\"4\">" \
	FLAG("CF", 0) FLAG("", 1) FLAG("PF", 2) FLAG("AF", 4) FLAG("ZF", 6) \
	FLAG("SF", 7) FLAG("TF", 8) FLAG("IF", 9) FLAG("DF", 10) \
	FLAG("OF", 11) FLAG("NT", 14) FLAG("RF", 16) FLAG("VM", 17) \
	FLAG("AC", 18) FLAG("VIF", 19) FLAG("VIP", 20) FLAG("ID", 21) \
	"</flags>"

#define MXCSR \
	"<flags id=\"i386_mxcsr\" size=\"4\">" \
	FLAG("IE", 0) FLAG("DE", 1) FLAG("ZE", 2) FLAG("OE", 3) FLAG("UE", 4) \
	FLAG("PE", 5) FLAG("DAZ", 6) FLAG("IM", 7) FLAG("DM", 8) \
	FLAG("ZM", 9) FLAG("OM", 10) FLAG("UM", 11) FLAG("PM", 12) \
	FLAG("FZ", 15) \
	"</flags>"

static const struct feature features[] = {
	{ "org.gnu.gdb.i386.core", 0, EFLAGS, core },
	{ "org.gnu.gdb.i386.sse", 0, VEC128 MXCSR, sse },
	{ "org.gnu.gdb.i386.linux", 0, "", linux_rows },
	{ "org.gnu.gdb.i386.segments", 0, "", segments },
	{ "org.gnu.gdb.i386.avx", 1u << 2, "", avx },
	{ "org.gnu.gdb.i386.avx512", 7u << 5,
	  VEC128 "<vector id=\"v2ui128\" type=\"uint128\" count=\"2\"/>",
	  avx512 },
	{ "org.gnu.gdb.i386.pkeys", 1u << 9, "", pkeys },
};
/* clang-format on */

/* What one answer reads: fetched when a register needs it. */
struct state {
	struct gdb_server *s;
	uint32_t task;
	struct regs regs;
	int has_regs, has_xstate; /* 0 not asked, 1 there, -1 not to be had */
};

static bool
load_regs(struct state *st)
{
	const struct target_ops *ops = st->s->t->ops;

	if (st->has_regs == 0)
		st->has_regs =
			ops->regs(st->s->t, st->task, &st->regs, NULL) == 0
				? 1
				: -1;
	return st->has_regs > 0;
}

static bool
load_xstate(struct state *st)
{
	const struct target_ops *ops = st->s->t->ops;
	struct buf *x = &st->s->xstate;

	if (st->has_xstate == 0) {
		buf_clear(x);
		st->has_xstate =
			ops->xstate(st->s->t, st->task, x, NULL) == 0 &&
					x->len >= LEGACY_SIZE
				? 1
				: -1;
	}
	return st->has_xstate > 0;
}

/* Which features there are is settled once: numbers depend on it. */
static uint64_t
xcr0(struct gdb_server *s)
{
	struct state st = { .s = s, .task = thread_current(s) };

	if (s->xcr0 == 0 && load_xstate(&st))
		memcpy(&s->xcr0, s->xstate.p + XCR0_AT, 8);
	return s->xcr0;
}

static const struct feature *
next_feature(struct gdb_server *s, size_t *i)
{
	uint64_t has = xcr0(s);

	while (*i < ARRAY_LEN(features)) {
		const struct feature *f = &features[(*i)++];

		if ((has & f->needs) == f->needs)
			return f;
	}
	return NULL;
}

/* The offset of a component in the uncompacted form, which this CPU's kernel
 * uses. */
static size_t
component_offset(unsigned component)
{
	unsigned a, b, c, d;

	if (component == 0)
		return 0;
	if (!__get_cpuid_count(XSAVE_LEAF, component, &a, &b, &c, &d) || a == 0)
		return SIZE_MAX;
	return b;
}

/* The tag word that FXSAVE abridges: what kind of number each register holds.
 */
static uint32_t
tag_word(const uint8_t *x)
{
	unsigned top = (unsigned)(x[3] >> 3) & 7;
	uint32_t tags = 0;

	for (unsigned i = 0; i < 8; i++) {
		const uint8_t *st = x + 32 + (size_t)((i - top) & 7) * 16;
		uint64_t fraction;
		uint16_t exponent;
		uint32_t tag = 3; /* empty */

		memcpy(&fraction, st, 8);
		memcpy(&exponent, st + 8, 2);
		exponent &= 0x7fff;
		if (x[4] & 1u << i) {
			if (exponent == 0 && fraction == 0)
				tag = 1;
			else if (exponent == 0 || exponent == 0x7fff ||
				 !(fraction >> 63))
				tag = 2;
			else
				tag = 0;
		}
		tags |= tag << 2 * i;
	}
	return tags;
}

static void
put_legacy(const struct row *r, const uint8_t *x, struct buf *out)
{
	uint64_t v = 0;

	memcpy(&v, x + r->offset, r->place == X87_SEG ? 8 : 2);
	if (r->place == X87_TAG)
		v = tag_word(x);
	else if (r->place == X87_SEG)
		v = v >> 32 & 0xffff;
	else if (r->place == X87_OP)
		v &= 0x7ff;
	hex_put_le(out, v, 4);
}

/* What cannot be had is sent as x's. */
static void
put_row(struct state *st, const struct row *r, unsigned i, struct buf *out)
{
	const struct buf *x = &st->s->xstate;
	size_t at;

	if (r->place == GENERAL && load_regs(st)) {
		hex_put(out, (const char *)&st->regs + r->offset, r->bytes);
		return;
	}
	if (r->place != GENERAL && load_xstate(st)) {
		if (r->place < COMPONENT) {
			put_legacy(r, x->p, out);
			return;
		}
		at = component_offset(r->place - COMPONENT);
		if (at < x->len) {
			at += r->offset + (size_t)i * r->stride;
			if (at + r->bytes <= x->len) {
				hex_put(out, x->p + at, r->bytes);
				return;
			}
		}
	}
	memset(buf_grow(out, 2u * r->bytes), 'x', 2u * r->bytes);
}

static const struct row *
find_row(struct gdb_server *s, uint64_t n, unsigned *i)
{
	const struct feature *f;
	size_t at = 0;

	while ((f = next_feature(s, &at)) != NULL) {
		for (const struct row *r = f->rows; r->name; r++) {
			if (n < r->count) {
				*i = (unsigned)n;
				return r;
			}
			n -= r->count;
		}
	}
	return NULL;
}

bool
register_put(struct gdb_server *s, uint32_t task, unsigned n, struct buf *out)
{
	struct state st = { .s = s, .task = task };
	unsigned i;
	const struct row *r = find_row(s, n, &i);

	if (r)
		put_row(&st, r, i, out);
	return r != NULL;
}

void
registers_xml(struct gdb_server *s, struct buf *out)
{
	const struct feature *f;
	size_t at = 0;

	buf_str(out, "<?xml version=\"1.0\"?>\n"
		     "<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
		     "<target>\n<architecture>i386:x86-64</architecture>\n"
		     "<osabi>GNU/Linux</osabi>\n");
	while ((f = next_feature(s, &at)) != NULL) {
		buf_printf(out, "<feature name=\"%s\">\n%s\n", f->name,
			   f->types);
		for (const struct row *r = f->rows; r->name; r++) {
			for (unsigned i = 0; i < r->count; i++) {
				buf_str(out, "<reg name=\"");
				for (const char *c = r->name; *c; c++) {
					if (*c != '%')
						buf_u8(out, (uint8_t)*c);
					else
						buf_printf(out, "%u",
							   r->first + i);
					c += *c == '%';
				}
				buf_printf(out,
					   "\" bitsize=\"%u\" type=\"%s\"/>\n",
					   r->bytes * 8u, r->type);
			}
		}
		buf_str(out, "</feature>\n");
	}
	buf_str(out, "</target>\n");
}

/* ---- packets */

static void
do_read_all(struct gdb_server *s, struct scan *args)
{
	struct state st = { .s = s, .task = thread_current(s) };
	const struct feature *f;
	size_t at = 0;

	(void)args;
	while ((f = next_feature(s, &at)) != NULL) {
		for (const struct row *r = f->rows; r->name; r++) {
			for (unsigned i = 0; i < r->count; i++)
				put_row(&st, r, i, &s->reply);
		}
	}
	if (st.has_regs < 0)
		reply_error(s, 3);
}

static void
do_read_one(struct gdb_server *s, struct scan *args)
{
	uint64_t n = scan_hex(args);

	if (!scan_done(args) || n > UINT16_MAX ||
	    !register_put(s, thread_current(s), (unsigned)n, &s->reply))
		reply_error(s, 1);
}

/* Bytes of a register as the client sends them, into what st has loaded:
 * false when there is no such one. *changed: 1 general, 2 vector registers. */
static bool
set_row(struct state *st, const struct row *r, unsigned i, struct span bytes,
	unsigned *changed)
{
	struct buf *x = &st->s->xstate;
	size_t at = r->offset + (size_t)i * r->stride;
	uint64_t bits;

	if (bytes.len != r->bytes)
		return false;
	if (r->place == GENERAL) {
		uint8_t *to = (uint8_t *)&st->regs + r->offset;

		if (!load_regs(st))
			return false;
		*changed |= memcmp(to, bytes.p, r->bytes) != 0;
		memcpy(to, bytes.p, r->bytes);
		return true;
	}
	/* Words of the x87 unit: no call sets them. */
	if (r->place < COMPONENT)
		return true;
	if (!load_xstate(st))
		return false;
	at += component_offset(r->place - COMPONENT);
	if (at + r->bytes > x->len || !memcmp(x->p + at, bytes.p, r->bytes))
		return true;
	memcpy(x->p + at, bytes.p, r->bytes);
	/* From now on it is no longer in its initial state. */
	memcpy(&bits, x->p + LEGACY_SIZE, sizeof(bits));
	bits |= r->place == LEGACY ? 3u : 1ul << (r->place - COMPONENT);
	memcpy(x->p + LEGACY_SIZE, &bits, sizeof(bits));
	*changed |= 2;
	return true;
}

static int
store(struct state *st, unsigned changed, struct err *err)
{
	int ret = 0;

	/* What was recorded may be written as it is: gdb does, after a call. */
	if (!changed && !divert_is_shown(st->s))
		return 0;
	if (changed & 2)
		ret = divert_set_xstate(st->s, buf_span(&st->s->xstate), err);
	/* Also when it is what it was: that may be the end of a call. */
	if (ret == 0 && (st->has_regs > 0 || !changed) && load_regs(st))
		ret = divert_set_regs(st->s, &st->regs, err);
	return ret;
}

/* The rows that changed are set, unless the client's bytes are not good. */
static void
store_and_reply(struct state *st, bool good, unsigned changed)
{
	struct err err = { 0 };

	if (!good)
		reply_error(st->s, 1);
	else if (store(st, changed, &err) < 0)
		reply_err(st->s, &err);
	else
		reply_ok(st->s);
}

static void
do_write_one(struct gdb_server *s, struct scan *args)
{
	struct state st = { .s = s, .task = thread_current(s) };
	uint64_t n = scan_hex(args);
	struct buf bytes = { 0 };
	unsigned i = 0, changed = 0;
	const struct row *r = find_row(s, n, &i);
	bool good;

	scan_char(args, '=');
	good = r && !args->bad && hex_get(scan_rest(args), &bytes) &&
	       set_row(&st, r, i, buf_span(&bytes), &changed);
	store_and_reply(&st, good, changed);
	buf_free(&bytes);
}

static void
do_write_all(struct gdb_server *s, struct scan *args)
{
	struct state st = { .s = s, .task = thread_current(s) };
	struct buf bytes = { 0 };
	const struct feature *f;
	size_t next = 0, at = 0;
	unsigned changed = 0;
	bool good = hex_get(scan_rest(args), &bytes);

	while (good && (f = next_feature(s, &next)) != NULL) {
		for (const struct row *r = f->rows; r->name; r++) {
			for (unsigned i = 0; i < r->count && good; i++) {
				good = at + r->bytes <= bytes.len &&
				       set_row(&st, r, i,
					       span_of(bytes.p + at, r->bytes),
					       &changed);
				at += r->bytes;
			}
		}
	}
	store_and_reply(&st, good, changed);
	buf_free(&bytes);
}

const struct handler register_handlers[] = {
	{ "g", do_read_all },  { "p", do_read_one }, { "G", do_write_all },
	{ "P", do_write_one }, { NULL, NULL },
};
