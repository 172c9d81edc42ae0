/* Arguments and results by the calling convention of System V x86-64. */
#include "sym/calls.h"

#include "sym/dwarf.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define INT_REGS 6u
#define XMM_REGS 8u
#define XMM_AT 160u /* in an xsave area */
#define TEXT_MAX 64u
#define NEST_MAX 8u
#define ARGS_TEXT_MAX 1000u

enum class {
	CLASS_NONE,
	CLASS_INT,
	CLASS_SSE,
	CLASS_MEMORY,
};

/* Where the next argument is. */
struct passing {
	const struct sym_call *c;
	unsigned ints, xmms;
	uint64_t stack;
};

static uint64_t
int_reg(const struct regs *r, unsigned i)
{
	const uint64_t v[INT_REGS] = { r->rdi, r->rsi, r->rdx,
				       r->rcx, r->r8,  r->r9 };

	return v[i];
}

static bool
xmm_reg(const struct sym_call *c, unsigned i, uint64_t *out)
{
	size_t at = XMM_AT + i * 16;

	if (c->xstate.len < at + 8)
		return false;
	memcpy(out, c->xstate.p + at, 8);
	return true;
}

/* ---- classes of the eight-byte parts of a type */

static bool classify(Dwarf_Die *type, uint64_t at, unsigned nest,
		     enum class out[2]);

static bool
classify_parts(Dwarf_Die *type, uint64_t at, unsigned nest, enum class out[2])
{
	Dwarf_Die m, of;
	Dwarf_Word offset;

	for (int ret = dwarf_child(type, &m); ret == 0;
	     ret = dwarf_siblingof(&m, &m)) {
		if (!is_member(&m))
			continue;
		offset = 0;
		die_number(&m, DW_AT_data_member_location, &offset);
		if (!type_of(&m, &of) ||
		    !classify(&of, at + offset, nest + 1, out))
			return false;
	}
	return true;
}

static bool
classify_elements(Dwarf_Die *type, uint64_t at, unsigned nest,
		  enum class out[2])
{
	uint64_t size = type_size(type), each;
	Dwarf_Die of;

	if (!type_of(type, &of) || (each = type_size(&of)) == 0)
		return false;
	for (uint64_t i = 0; i + each <= size; i += each) {
		if (!classify(&of, at + i, nest + 1, out))
			return false;
	}
	return true;
}

static bool
classify(Dwarf_Die *type, uint64_t at, unsigned nest, enum class out[2])
{
	Dwarf_Word encoding = 0;
	uint64_t size;
	Dwarf_Die t;

	if (nest > NEST_MAX || !type_peel(type, &t))
		return false;
	size = type_size(&t);
	if (dwarf_tag(&t) != DW_TAG_base_type && size == 0)
		size = 8; /* a pointer or reference that tells none */
	if (at + size > 16)
		return false;
	switch (dwarf_tag(&t)) {
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
		return classify_parts(&t, at, nest, out);
	case DW_TAG_array_type:
		return classify_elements(&t, at, nest, out);
	case DW_TAG_base_type:
		die_number(&t, DW_AT_encoding, &encoding);
		if (encoding == DW_ATE_float && size > 8)
			return false;
		break;
	}
	for (uint64_t i = at / 8; i <= (at + size - 1) / 8 && i < 2; i++) {
		if (encoding != DW_ATE_float)
			out[i] = CLASS_INT;
		else if (out[i] == CLASS_NONE)
			out[i] = CLASS_SSE;
	}
	return true;
}

/* ---- arguments */

static struct loc
on_stack(struct passing *p, uint64_t size)
{
	struct loc l = { .kind = LOC_MEMORY, .addr = p->stack };

	p->stack += (size + 7) / 8 * 8;
	return l;
}

/* Where an argument of this type is. */
static struct loc
next_argument(const struct scope *sc, struct passing *p, Dwarf_Die *type)
{
	enum class parts[2] = { CLASS_NONE, CLASS_NONE };
	unsigned ints = 0, xmms = 0;
	uint64_t size = type_size(type), v[2] = { 0 };

	if (size == 0)
		size = 8;
	if (!classify(type, 0, 0, parts) || size > 16)
		return on_stack(p, size);
	for (unsigned i = 0; i < 2; i++) {
		ints += parts[i] == CLASS_INT;
		xmms += parts[i] == CLASS_SSE;
	}
	if (p->ints + ints > INT_REGS || p->xmms + xmms > XMM_REGS)
		return on_stack(p, size);
	for (unsigned i = 0; i < 2; i++) {
		if (parts[i] == CLASS_INT)
			v[i] = int_reg(p->c->regs, p->ints++);
		else if (parts[i] == CLASS_SSE &&
			 !xmm_reg(p->c, p->xmms++, &v[i]))
			return (struct loc){ 0 };
	}
	return (struct loc){ LOC_BYTES, 0, arena_dup(sc->a, v, sizeof(v)),
			     size };
}

/* The string at addr, as C writes it; false: it is none. */
static bool
put_string(struct symbols *s, uint64_t addr, struct buf *out)
{
	char text[TEXT_MAX + 1];
	int64_t n = addr < 4096 ? -1 : symbols_read(s, addr, text, TEXT_MAX);
	size_t len;

	if (n <= 0)
		return false;
	text[n] = '\0';
	len = strlen(text);
	if (len == 0 || (len == (size_t)n && n < (int64_t)TEXT_MAX))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isprint((unsigned char)text[i]) &&
		    !isspace((unsigned char)text[i]))
			return false;
	}
	buf_str(out, " \"");
	buf_escape(out, span_of((const uint8_t *)text, len));
	buf_str(out, len == TEXT_MAX ? "\"..." : "\"");
	return true;
}

static void
put_registers(struct symbols *s, const struct sym_call *c, struct buf *out)
{
	for (unsigned i = 0; i < INT_REGS; i++) {
		uint64_t v = int_reg(c->regs, i);

		buf_printf(out, "%s0x%" PRIx64, i ? ", " : "", v);
		put_string(s, v, out);
	}
}

/* The function that begins there; false: no debug information tells. */
static bool
find_function(struct symbols *s, const struct sym_call *c, struct arena *a,
	      struct sym_frame *f, struct scope *sc)
{
	struct scopes path;

	*f = (struct sym_frame){ .pc = c->entry,
				 .at = c->entry,
				 .sp = c->regs->rsp,
				 .regs = *c->regs,
				 .xstate = c->xstate };
	/* What an assembler says of a function are its lines. */
	return frame_scope(s, f, a, sc, &path) && sc->function.addr != NULL &&
	       dwarf_srclang(&sc->unit) != DW_LANG_Mips_Assembler;
}

static void
put_arguments(const struct scope *sc, const struct sym_call *c, struct buf *out)
{
	struct passing p = { .c = c, .stack = c->regs->rsp + 8 };
	Dwarf_Die function = sc->function, child, ret, peeled;
	enum class parts[2] = { CLASS_NONE, CLASS_NONE };

	/* Room for a result in memory is a hidden first argument. */
	if (type_of(&function, &ret) && type_peel(&ret, &peeled) &&
	    type_size(&peeled) > 0 && dwarf_tag(&peeled) != DW_TAG_base_type &&
	    !classify(&ret, 0, 0, parts))
		p.ints++;
	for (int r = dwarf_child(&function, &child); r == 0;
	     r = dwarf_siblingof(&child, &child)) {
		const char *name;
		struct object o = { 0 };

		if (dwarf_tag(&child) == DW_TAG_unspecified_parameters)
			buf_str(out, out->len ? ", ..." : "...");
		if (dwarf_tag(&child) != DW_TAG_formal_parameter ||
		    !type_of(&child, &o.type))
			continue;
		name = dwarf_diename(&child);
		o.loc = next_argument(sc, &p, &o.type);
		buf_printf(out, "%s%s=", out->len ? ", " : "",
			   name ? name : "?");
		value_text(sc, &o, out);
	}
}

static const char *
take(struct buf *b, struct arena *a)
{
	const char *text;

	if (b->len > ARGS_TEXT_MAX)
		b->len = ARGS_TEXT_MAX;
	text = arena_strdup(a, buf_cstr(b));
	buf_free(b);
	return text;
}

const char *
symbols_arguments(struct symbols *s, const struct sym_call *c, struct arena *a)
{
	struct buf out = { 0 };
	struct sym_frame f;
	struct scope sc;

	if (find_function(s, c, a, &f, &sc))
		put_arguments(&sc, c, &out);
	else
		put_registers(s, c, &out);
	return take(&out, a);
}

/* ---- results */

static struct loc
result_loc(const struct scope *sc, const struct sym_call *c, Dwarf_Die *type)
{
	const uint64_t ints[2] = { c->regs->rax, c->regs->rdx };
	enum class parts[2] = { CLASS_NONE, CLASS_NONE };
	unsigned n_int = 0, n_xmm = 0;
	uint64_t v[2] = { 0 };

	if (!classify(type, 0, 0, parts)) {
		Dwarf_Die t;

		/* long double is in a register of the x87 */
		if (!type_peel(type, &t) || dwarf_tag(&t) == DW_TAG_base_type)
			return (struct loc){ 0 };
		return (struct loc){ .kind = LOC_MEMORY, .addr = ints[0] };
	}
	for (unsigned i = 0; i < 2; i++) {
		if (parts[i] == CLASS_INT)
			v[i] = ints[n_int++];
		else if (parts[i] == CLASS_SSE && !xmm_reg(c, n_xmm++, &v[i]))
			return (struct loc){ 0 };
	}
	return (struct loc){ LOC_BYTES, 0, arena_dup(sc->a, v, sizeof(v)),
			     sizeof(v) };
}

const char *
symbols_result(struct symbols *s, const struct sym_call *c, struct arena *a)
{
	struct buf out = { 0 };
	struct object o = { 0 };
	struct sym_frame f;
	struct scope sc;

	if (!find_function(s, c, a, &f, &sc)) {
		buf_printf(&out, "0x%" PRIx64, c->regs->rax);
		put_string(s, c->regs->rax, &out);
		return take(&out, a);
	}
	if (!type_of(&sc.function, &o.type))
		return NULL;
	o.loc = result_loc(&sc, c, &o.type);
	value_text(&sc, &o, &out);
	return take(&out, a);
}
