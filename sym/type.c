/* Types: their names as C writes them, sizes, dimensions. */
#include "sym/dwarf.h"

#include <string.h>

#define DEPTH_MAX 24u /* pointers to arrays of pointers ... */

bool
type_of(Dwarf_Die *die, Dwarf_Die *out)
{
	Dwarf_Attribute attr;

	return dwarf_attr_integrate(die, DW_AT_type, &attr) &&
	       dwarf_formref_die(&attr, out);
}

bool
type_peel(Dwarf_Die *type, Dwarf_Die *out)
{
	return dwarf_peel_type(type, out) == 0;
}

uint64_t
type_size(Dwarf_Die *type)
{
	Dwarf_Word size;

	return dwarf_aggregate_size(type, &size) == 0 ? size : 0;
}

/* ---- arrays */

static bool
dimension(Dwarf_Die *array, unsigned skip, Dwarf_Die *out)
{
	int ret = dwarf_child(array, out);

	for (; ret == 0; ret = dwarf_siblingof(out, out)) {
		int tag = dwarf_tag(out);

		if ((tag == DW_TAG_subrange_type ||
		     tag == DW_TAG_enumeration_type) &&
		    !skip--)
			return true;
	}
	return false;
}

bool
die_number(Dwarf_Die *die, unsigned name, Dwarf_Word *out)
{
	Dwarf_Attribute attr;

	return dwarf_attr_integrate(die, name, &attr) &&
	       dwarf_formudata(&attr, out) == 0;
}

static bool
dimension_count(Dwarf_Die *dim, uint64_t *out)
{
	Dwarf_Word lower = 0, upper, count;

	if (die_number(dim, DW_AT_count, &count)) {
		*out = count;
		return true;
	}
	if (!die_number(dim, DW_AT_upper_bound, &upper))
		return false;
	die_number(dim, DW_AT_lower_bound, &lower);
	*out = upper - lower + 1;
	return true;
}

bool
type_count(Dwarf_Die *array, unsigned dim, uint64_t *out)
{
	Dwarf_Die d;

	return dimension(array, dim, &d) && dimension_count(&d, out);
}

uint64_t
type_stride(Dwarf_Die *array, unsigned dim)
{
	Dwarf_Die d, element;
	uint64_t size, n;

	if (!type_of(array, &element))
		return 0;
	size = type_size(&element);
	for (unsigned i = dim + 1; dimension(array, i, &d); i++) {
		if (!dimension_count(&d, &n))
			return 0;
		size *= n;
	}
	return size;
}

unsigned
type_dimensions(Dwarf_Die *array)
{
	Dwarf_Die d;
	unsigned n = 0;

	while (dimension(array, n, &d))
		n++;
	return n;
}

/* ---- names: the declarator grows from the inside out */

static void describe(Dwarf_Die *type, const char *inner, unsigned depth,
		     struct buf *out);

static bool
is_c(Dwarf_Die *type)
{
	Dwarf_Die unit;
	int lang;

	if (!dwarf_diecu(type, &unit, NULL, NULL))
		return false;
	lang = dwarf_srclang(&unit);
	return lang == DW_LANG_C || lang == DW_LANG_C89 ||
	       lang == DW_LANG_C99 || lang == DW_LANG_C11;
}

static void
named(Dwarf_Die *type, const char *keyword, const char *inner, struct buf *out)
{
	const char *name = dwarf_diename(type);

	if (keyword && !name)
		buf_printf(out, "%s {...}", keyword);
	else if (keyword && is_c(type))
		buf_printf(out, "%s ", keyword);
	if (name)
		buf_str(out, name);
	else if (!keyword)
		buf_str(out, "?");
	if (*inner)
		buf_printf(out, " %s", inner);
}

/* What a wrapping type refers to, or void. */
static void
describe_to(Dwarf_Die *type, struct buf *inner, unsigned depth, struct buf *out)
{
	Dwarf_Die to;

	if (type_of(type, &to))
		describe(&to, buf_cstr(inner), depth + 1, out);
	else
		buf_printf(out, inner->len ? "void %s" : "void%s",
			   buf_cstr(inner));
}

static bool
needs_parens(Dwarf_Die *pointer)
{
	Dwarf_Die to;
	int tag = type_of(pointer, &to) ? dwarf_tag(&to) : 0;

	return tag == DW_TAG_array_type || tag == DW_TAG_subroutine_type;
}

static void
describe_pointer(Dwarf_Die *type, const char *sign, const char *inner,
		 unsigned depth, struct buf *out)
{
	struct buf b = { 0 };

	buf_printf(&b, needs_parens(type) ? "(%s%s)" : "%s%s", sign, inner);
	describe_to(type, &b, depth, out);
	buf_free(&b);
}

static void
describe_array(Dwarf_Die *type, const char *inner, unsigned depth,
	       struct buf *out)
{
	struct buf b = { 0 };
	uint64_t n;

	buf_str(&b, inner);
	for (unsigned i = 0; i < type_dimensions(type); i++)
		if (type_count(type, i, &n))
			buf_printf(&b, "[%lu]", n);
		else
			buf_str(&b, "[]");
	describe_to(type, &b, depth, out);
	buf_free(&b);
}

static void
describe_function(Dwarf_Die *type, const char *inner, unsigned depth,
		  struct buf *out)
{
	struct buf b = { 0 };
	const char *comma = "";
	Dwarf_Die p, t;

	buf_printf(&b, "%s(", inner);
	for (int ret = dwarf_child(type, &p); ret == 0;
	     ret = dwarf_siblingof(&p, &p)) {
		if (dwarf_tag(&p) == DW_TAG_unspecified_parameters) {
			buf_printf(&b, "%s...", comma);
			continue;
		}
		if (dwarf_tag(&p) != DW_TAG_formal_parameter ||
		    !type_of(&p, &t))
			continue;
		buf_str(&b, comma);
		describe(&t, "", depth + 1, &b);
		comma = ", ";
	}
	buf_str(&b, ")");
	describe_to(type, &b, depth, out);
	buf_free(&b);
}

/* const before a name, after a star. */
static void
describe_qualified(Dwarf_Die *type, const char *word, const char *inner,
		   unsigned depth, struct buf *out)
{
	struct buf b = { 0 };
	Dwarf_Die to;

	if (type_of(type, &to) && dwarf_tag(&to) == DW_TAG_pointer_type) {
		buf_printf(&b, *inner ? "%s %s" : "%s%s", word, inner);
	} else {
		buf_printf(out, "%s ", word);
		buf_str(&b, inner);
	}
	describe_to(type, &b, depth, out);
	buf_free(&b);
}

static void
describe(Dwarf_Die *type, const char *inner, unsigned depth, struct buf *out)
{
	if (depth > DEPTH_MAX) {
		buf_str(out, "...");
		return;
	}
	switch (dwarf_tag(type)) {
	case DW_TAG_pointer_type:
		describe_pointer(type, "*", inner, depth, out);
		return;
	case DW_TAG_reference_type:
		describe_pointer(type, "&", inner, depth, out);
		return;
	case DW_TAG_rvalue_reference_type:
		describe_pointer(type, "&&", inner, depth, out);
		return;
	case DW_TAG_array_type:
		describe_array(type, inner, depth, out);
		return;
	case DW_TAG_subroutine_type:
		describe_function(type, inner, depth, out);
		return;
	case DW_TAG_const_type:
		describe_qualified(type, "const", inner, depth, out);
		return;
	case DW_TAG_volatile_type:
		describe_qualified(type, "volatile", inner, depth, out);
		return;
	case DW_TAG_restrict_type:
		describe_qualified(type, "restrict", inner, depth, out);
		return;
	case DW_TAG_atomic_type:
		describe_qualified(type, "_Atomic", inner, depth, out);
		return;
	case DW_TAG_structure_type:
		named(type, "struct", inner, out);
		return;
	case DW_TAG_class_type:
		named(type, "class", inner, out);
		return;
	case DW_TAG_union_type:
		named(type, "union", inner, out);
		return;
	case DW_TAG_enumeration_type:
		named(type, "enum", inner, out);
		return;
	default:
		named(type, NULL, inner, out);
		return;
	}
}

const char *
type_name(Dwarf_Die *type, unsigned dim, struct arena *a)
{
	struct buf b = { 0 }, inner = { 0 };
	Dwarf_Die array;
	const char *name;
	uint64_t n;

	if (dim && type_peel(type, &array)) {
		for (unsigned i = dim; i < type_dimensions(&array); i++)
			if (type_count(&array, i, &n))
				buf_printf(&inner, "[%lu]", n);
		describe_to(&array, &inner, 0, &b);
	} else {
		describe(type, "", 0, &b);
	}
	name = arena_strdup(a, buf_cstr(&b));
	buf_free(&inner);
	buf_free(&b);
	return name;
}
