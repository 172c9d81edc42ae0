/* An object's value on one line. */
#include "sym/dwarf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NEST_MAX 3u	  /* structs in structs */
#define LIST_MAX 8u	  /* members or elements told */
#define TEXT_MAX 80u	  /* bytes of a string */
#define TEXT_LEN_MAX 160u /* then the rest is left out */

static void value_nested(const struct scope *sc, const struct object *o,
			 unsigned nest, struct buf *out);

/* ---- numbers */

static Dwarf_Word
encoding(Dwarf_Die *type)
{
	Dwarf_Word e = 0;
	Dwarf_Die under;

	if (dwarf_tag(type) == DW_TAG_enumeration_type) {
		if (type_of(type, &under) && type_peel(&under, &under))
			return encoding(&under);
		return DW_ATE_signed;
	}
	if (dwarf_tag(type) == DW_TAG_base_type &&
	    die_number(type, DW_AT_encoding, &e))
		return e;
	return DW_ATE_unsigned;
}

static bool
is_signed(Dwarf_Die *type)
{
	Dwarf_Word e = encoding(type);

	return e == DW_ATE_signed || e == DW_ATE_signed_char;
}

/* Up to 8 bytes, or the bits of a bit field, extended by the type's sign. */
static bool
read_number(const struct scope *sc, const struct object *o, Dwarf_Die *type,
	    int64_t *out)
{
	uint64_t size = type_size(type), v = 0;
	unsigned bits = o->bit_size, shift = o->bit_offset % 8;

	if (bits)
		size = (shift + bits + 7) / 8;
	if (!size || size > 8 ||
	    !loc_read(sc, &o->loc, o->bit_offset / 8, &v, size))
		return false;
	if (!bits)
		bits = (unsigned)size * 8;
	v >>= shift;
	if (bits < 64) {
		v &= (1ull << bits) - 1;
		if (is_signed(type) && v >> (bits - 1))
			v |= ~0ull << bits;
	}
	*out = (int64_t)v;
	return true;
}

bool
value_number(const struct scope *sc, const struct object *o, int64_t *out)
{
	Dwarf_Die type = o->type;

	if (!type_peel(&type, &type))
		return false;
	switch (dwarf_tag(&type)) {
	case DW_TAG_base_type:
		if (encoding(&type) == DW_ATE_float)
			return false;
		break;
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
	case DW_TAG_enumeration_type:
		break;
	default:
		return false;
	}
	return read_number(sc, o, &type, out);
}

static void
gone(struct buf *out)
{
	buf_str(out, "<unreadable>");
}

static void
float_text(const struct scope *sc, const struct object *o, uint64_t size,
	   struct buf *out)
{
	union {
		float f;
		double d;
		long double l;
	} v = { 0 };

	if (size > sizeof(v) || !loc_read(sc, &o->loc, 0, &v, size))
		gone(out);
	else if (size == sizeof(float))
		buf_printf(out, "%.9g", (double)v.f);
	else if (size == sizeof(double))
		buf_printf(out, "%.17g", v.d);
	else if (size == sizeof(long double))
		buf_printf(out, "%.20Lg", v.l);
	else
		buf_printf(out, "<%lu-byte float>", size);
}

static void
char_text(int64_t c, struct buf *out)
{
	uint8_t byte = (uint8_t)c;

	buf_printf(out, "%" PRId64 " '", c);
	buf_escape(out, span_of(&byte, 1));
	buf_str(out, "'");
}

static void
base_text(const struct scope *sc, const struct object *o, Dwarf_Die *type,
	  struct buf *out)
{
	uint64_t size = type_size(type);
	Dwarf_Word e = encoding(type);
	uint64_t wide[2];
	int64_t v;

	if (e == DW_ATE_float) {
		float_text(sc, o, size, out);
	} else if (size == sizeof(wide)) {
		if (loc_read(sc, &o->loc, 0, wide, sizeof(wide)))
			buf_printf(out, "0x%" PRIx64 "%016" PRIx64, wide[1],
				   wide[0]);
		else
			gone(out);
	} else if (!read_number(sc, o, type, &v)) {
		gone(out);
	} else if (e == DW_ATE_boolean && (v == 0 || v == 1)) {
		buf_str(out, v ? "true" : "false");
	} else if (e == DW_ATE_signed_char || e == DW_ATE_unsigned_char) {
		char_text(v, out);
	} else {
		buf_printf(out, is_signed(type) ? "%" PRId64 : "%" PRIu64, v);
	}
}

static void
enum_text(const struct scope *sc, const struct object *o, Dwarf_Die *type,
	  struct buf *out)
{
	Dwarf_Attribute attr;
	Dwarf_Die e;
	int64_t v;

	if (!read_number(sc, o, type, &v)) {
		gone(out);
		return;
	}
	for (int ret = dwarf_child(type, &e); ret == 0;
	     ret = dwarf_siblingof(&e, &e)) {
		Dwarf_Sword is;

		if (dwarf_tag(&e) != DW_TAG_enumerator ||
		    !dwarf_attr(&e, DW_AT_const_value, &attr) ||
		    dwarf_formsdata(&attr, &is) || is != v)
			continue;
		buf_printf(out, "%s (%" PRId64 ")", dwarf_diename(&e), v);
		return;
	}
	buf_printf(out, "%" PRId64, v);
}

/* ---- strings and pointers */

static bool
is_char(Dwarf_Die *type)
{
	Dwarf_Die t;
	Dwarf_Word e;

	if (!type_peel(type, &t) || dwarf_tag(&t) != DW_TAG_base_type ||
	    type_size(&t) != 1)
		return false;
	e = encoding(&t);
	return e == DW_ATE_signed_char || e == DW_ATE_unsigned_char ||
	       e == DW_ATE_UTF;
}

/* Up to max bytes from l to the first NUL. */
static void
string_text(const struct scope *sc, const struct loc *l, uint64_t max,
	    struct buf *out)
{
	uint8_t text[TEXT_MAX];
	size_t n = 0, want = max < TEXT_MAX ? max : TEXT_MAX;

	while (n < want && loc_read(sc, l, n, &text[n], 1) && text[n])
		n++;
	buf_str(out, "\"");
	buf_escape(out, span_of(text, n));
	buf_str(out, n == TEXT_MAX && max > n ? "\"..." : "\"");
}

static void
pointer_text(const struct scope *sc, const struct object *o, Dwarf_Die *type,
	     struct buf *out)
{
	struct loc to = { .kind = LOC_MEMORY };
	struct sym_place p;
	Dwarf_Die target;
	uint8_t byte;
	int64_t v;

	if (!read_number(sc, o, type, &v)) {
		gone(out);
		return;
	}
	to.addr = (uint64_t)v;
	buf_printf(out, "0x%" PRIx64, (uint64_t)v);
	if (!v || !type_of(type, &target))
		return;
	if (is_char(&target)) {
		if (loc_read(sc, &to, 0, &byte, 1)) {
			buf_str(out, " ");
			string_text(sc, &to, UINT64_MAX, out);
		}
	} else if (dwarf_tag(&target) == DW_TAG_subroutine_type) {
		symbols_lookup(sc->s, (uint64_t)v, sc->a, &p);
		if (p.function)
			buf_printf(out, " <%s>", p.function);
	}
}

/* What a reference refers to: that is what people mean. */
static void
reference_text(const struct scope *sc, const struct object *o, Dwarf_Die *type,
	       unsigned nest, struct buf *out)
{
	struct object to = { .loc.kind = LOC_MEMORY };
	int64_t v;

	if (!read_number(sc, o, type, &v)) {
		gone(out);
		return;
	}
	buf_printf(out, "@0x%" PRIx64 ": ", (uint64_t)v);
	to.loc.addr = (uint64_t)v;
	if (type_of(type, &to.type))
		value_nested(sc, &to, nest + 1, out);
}

/* ---- wholes */

bool
member_object(const struct object *whole, Dwarf_Die *member, struct object *out)
{
	Dwarf_Word at = 0, bits, size, old;

	*out = (struct object){ 0 };
	if (!type_of(member, &out->type))
		return false;
	die_number(member, DW_AT_data_member_location, &at);
	out->loc = loc_part(&whole->loc, at);
	if (!die_number(member, DW_AT_bit_size, &bits))
		return true;
	out->bit_size = (unsigned)bits;
	if (die_number(member, DW_AT_data_bit_offset, &at)) {
		out->loc = whole->loc;
		out->bit_offset = (unsigned)at;
	} else if (die_number(member, DW_AT_bit_offset, &old)) {
		/* DWARF 3 counts from the storage unit's top bit */
		if (!die_number(member, DW_AT_byte_size, &size))
			size = type_size(&out->type);
		out->bit_offset = (unsigned)(size * 8 - old - bits);
	}
	return true;
}

bool
is_member(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	int tag = dwarf_tag(die);

	if (tag == DW_TAG_inheritance)
		return true;
	return tag == DW_TAG_member &&
	       !dwarf_attr(die, DW_AT_external, &attr) &&
	       !dwarf_attr(die, DW_AT_declaration, &attr);
}

static void
struct_text(const struct scope *sc, const struct object *o, Dwarf_Die *type,
	    unsigned nest, struct buf *out)
{
	const char *comma = "";
	unsigned told = 0;
	Dwarf_Die m;

	buf_str(out, "{");
	for (int ret = dwarf_child(type, &m); ret == 0;
	     ret = dwarf_siblingof(&m, &m)) {
		struct object part;

		if (!is_member(&m) || !member_object(o, &m, &part))
			continue;
		buf_str(out, comma);
		if (told++ == LIST_MAX || nest >= NEST_MAX ||
		    out->len > TEXT_LEN_MAX) {
			buf_str(out, "...");
			break;
		}
		if (dwarf_diename(&m))
			buf_printf(out, "%s = ", dwarf_diename(&m));
		value_nested(sc, &part, nest + 1, out);
		comma = ", ";
	}
	buf_str(out, "}");
}

struct object
element_object(const struct object *array, Dwarf_Die *type, uint64_t i)
{
	struct object e = *array;

	e.loc = loc_part(&array->loc, i * type_stride(type, array->dim));
	e.type = *type;
	e.dim = array->dim + 1;
	if (e.dim == type_dimensions(type)) {
		e.dim = 0;
		type_of(type, &e.type);
	}
	return e;
}

static void
array_text(const struct scope *sc, const struct object *o, Dwarf_Die *type,
	   unsigned nest, struct buf *out)
{
	uint64_t n = 0;
	Dwarf_Die element;
	bool known = type_count(type, o->dim, &n);

	if (type_of(type, &element) && is_char(&element) &&
	    o->dim + 1 == type_dimensions(type)) {
		string_text(sc, &o->loc, known ? n : UINT64_MAX, out);
		return;
	}
	buf_str(out, "{");
	for (uint64_t i = 0; i < n; i++) {
		struct object e = element_object(o, type, i);

		buf_str(out, i ? ", " : "");
		if (i == LIST_MAX || nest >= NEST_MAX ||
		    out->len > TEXT_LEN_MAX) {
			buf_str(out, "...");
			break;
		}
		value_nested(sc, &e, nest + 1, out);
	}
	buf_str(out, known ? "}" : "...}");
}

static void
value_nested(const struct scope *sc, const struct object *o, unsigned nest,
	     struct buf *out)
{
	Dwarf_Die type = o->type;

	if (o->loc.kind == LOC_NONE) {
		buf_str(out, "<optimized out>");
		return;
	}
	if (!type_peel(&type, &type)) {
		buf_str(out, "<unknown type>");
		return;
	}
	switch (dwarf_tag(&type)) {
	case DW_TAG_base_type:
		base_text(sc, o, &type, out);
		return;
	case DW_TAG_enumeration_type:
		enum_text(sc, o, &type, out);
		return;
	case DW_TAG_pointer_type:
	case DW_TAG_ptr_to_member_type:
		pointer_text(sc, o, &type, out);
		return;
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		reference_text(sc, o, &type, nest, out);
		return;
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
		struct_text(sc, o, &type, nest, out);
		return;
	case DW_TAG_array_type:
		array_text(sc, o, &type, nest, out);
		return;
	default:
		buf_str(out, "<unknown type>");
		return;
	}
}

void
value_text(const struct scope *sc, const struct object *o, struct buf *out)
{
	value_nested(sc, o, 0, out);
}
