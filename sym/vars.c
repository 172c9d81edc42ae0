/* The variables of a frame, with those parts that are wanted. */
#include "sym/dwarf.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ELEMENTS_MAX 200u /* of an open array */

/* ---- scopes */

static bool
holds_code(int tag)
{
	return tag == DW_TAG_subprogram || tag == DW_TAG_lexical_block ||
	       tag == DW_TAG_inlined_subroutine || tag == DW_TAG_try_block ||
	       tag == DW_TAG_catch_block;
}

/*
 * Down to what holds pc. deep: also through what does not hold it itself, where
 * the code of local classes is (lambdas).
 */
static bool
descend(Dwarf_Die *die, Dwarf_Addr pc, bool deep, struct scopes *out)
{
	Dwarf_Die child;

	for (int ret = dwarf_child(die, &child); ret == 0;
	     ret = dwarf_siblingof(&child, &child)) {
		int tag = dwarf_tag(&child);

		if (tag == DW_TAG_namespace || tag == DW_TAG_module) {
			if (descend(&child, pc, deep, out))
				return true;
			continue;
		}
		if (!holds_code(tag) || dwarf_haspc(&child, pc) != 1) {
			if (deep && descend(&child, pc, true, out))
				return true;
			continue;
		}
		if (out->n < SCOPES_MAX)
			out->v[out->n++] = child;
		descend(&child, pc, false, out);
		return true;
	}
	return false;
}

/* The unit of an address: not every compiler writes .debug_aranges. */
static bool
find_unit(struct sym_module *m, uint64_t addr, Dwarf_Die *out, Dwarf_Addr *bias)
{
	Dwarf_Die *unit = dwfl_module_addrdie(m->dwfl, addr, bias);

	if (!unit)
		while ((unit = dwfl_module_nextcu(m->dwfl, unit, bias)))
			if (dwarf_haspc(unit, addr - *bias) == 1)
				break;
	if (unit)
		*out = *unit;
	return unit != NULL;
}

/* false: no debug information for the frame. */
bool
frame_scope(struct symbols *s, const struct sym_frame *f, struct arena *a,
	    struct scope *sc, struct scopes *path)
{
	*sc = (struct scope){ .s = s, .frame = f, .a = a };
	path->n = 0;
	sc->m = symbols_module(s, f->at);
	if (!sc->m || !sc->m->dwfl ||
	    !find_unit(sc->m, f->at, &sc->unit, &sc->bias))
		return false;
	if (!descend(&sc->unit, f->at - sc->bias, false, path))
		descend(&sc->unit, f->at - sc->bias, true, path);
	for (size_t i = 0; i < path->n; i++)
		if (dwarf_tag(&path->v[i]) == DW_TAG_subprogram)
			sc->function = path->v[i];
	return true;
}

/* ---- variables */

bool
is_variable(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	int tag = dwarf_tag(die);

	return (tag == DW_TAG_variable || tag == DW_TAG_formal_parameter) &&
	       dwarf_diename(die) && !dwarf_attr(die, DW_AT_declaration, &attr);
}

static struct loc
constant_loc(const struct scope *sc, Dwarf_Attribute *attr)
{
	Dwarf_Block block;
	Dwarf_Sword v;

	if (dwarf_formblock(attr, &block) == 0)
		return (struct loc){ LOC_BYTES, 0, block.data, block.length };
	if (dwarf_formsdata(attr, &v) == 0)
		return (struct loc){ LOC_BYTES, 0,
				     arena_dup(sc->a, &v, sizeof(v)),
				     sizeof(v) };
	return (struct loc){ 0 };
}

bool
variable_object(const struct scope *sc, Dwarf_Die *die, struct object *out)
{
	Dwarf_Attribute attr;

	*out = (struct object){ 0 };
	if (!type_of(die, &out->type))
		return false;
	if (dwarf_attr_integrate(die, DW_AT_location, &attr))
		out->loc = location_of(sc, &attr);
	else if (dwarf_attr_integrate(die, DW_AT_const_value, &attr))
		out->loc = constant_loc(sc, &attr);
	return true;
}

/* The struct, array or single object that o points to; false: none. */
bool
pointed_object(const struct scope *sc, const struct object *o,
	       Dwarf_Die *pointer, struct object *out)
{
	Dwarf_Die to;
	int64_t v;

	*out = (struct object){ .loc.kind = LOC_MEMORY };
	if (!type_of(pointer, &out->type) || !type_peel(&out->type, &to) ||
	    dwarf_tag(&to) == DW_TAG_subroutine_type ||
	    !value_number(sc, o, &v) || !v)
		return false;
	out->loc.addr = (uint64_t)v;
	return true;
}

static bool
is_pointer(int tag)
{
	return tag == DW_TAG_pointer_type || tag == DW_TAG_reference_type ||
	       tag == DW_TAG_rvalue_reference_type;
}

static bool
is_struct(int tag)
{
	return tag == DW_TAG_structure_type || tag == DW_TAG_class_type ||
	       tag == DW_TAG_union_type;
}

/* ---- the list */

struct list {
	const struct scope *sc;
	const char *const *open;
	size_t n_open;
	VEC(struct sym_var) v;
};

static bool
is_open(const struct list *l, const char *path)
{
	for (size_t i = 0; i < l->n_open; i++)
		if (!strcmp(l->open[i], path))
			return true;
	return false;
}

static const char *text(const struct list *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static const char *
text(const struct list *l, const char *fmt, ...)
{
	char small[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	return arena_strdup(l->sc->a, small);
}

static void add_parts(struct list *l, const struct object *o, const char *path,
		      unsigned depth);

static bool
has_parts(const struct scope *sc, const struct object *o)
{
	Dwarf_Die type = o->type, child;
	struct object to;
	int tag;

	if (o->loc.kind == LOC_NONE || !type_peel(&type, &type))
		return false;
	tag = dwarf_tag(&type);
	if (is_pointer(tag))
		return pointed_object(sc, o, &type, &to);
	return tag == DW_TAG_array_type ||
	       (is_struct(tag) && dwarf_child(&type, &child) == 0);
}

void
describe_object(const struct scope *sc, const struct object *o,
		struct sym_var *v)
{
	Dwarf_Die type = o->type;
	struct buf value = { 0 };

	v->type = type_name(&type, o->dim, sc->a);
	v->size = o->dim ? type_stride(&type, o->dim - 1) : type_size(&type);
	v->addr = o->loc.kind == LOC_MEMORY ? o->loc.addr : 0;
	v->parts = has_parts(sc, o);
	v->counts = value_number(sc, o, &v->number);
	value_text(sc, o, &value);
	v->value = arena_strdup(sc->a, buf_cstr(&value));
	buf_free(&value);
}

static void
add(struct list *l, struct sym_var v, const struct object *o)
{
	if (l->v.len >= SYM_VARS_MAX)
		return;
	describe_object(l->sc, o, &v);
	v.open = v.parts && is_open(l, v.path);
	vec_push(&l->v, v);
	if (v.open)
		add_parts(l, o, v.path, v.depth + 1);
}

static void
add_members(struct list *l, const struct object *o, Dwarf_Die *type,
	    const char *path, const char *sign, unsigned depth)
{
	Dwarf_Die m;

	for (int ret = dwarf_child(type, &m); ret == 0;
	     ret = dwarf_siblingof(&m, &m)) {
		const char *name = dwarf_diename(&m);
		struct sym_var v = { .depth = depth };
		struct object part;

		if (!is_member(&m) || !member_object(o, &m, &part))
			continue;
		if (name) {
			v.name = text(l, ".%s", name);
			v.path = text(l, "%s%s%s", path, sign, name);
			add(l, v, &part);
		} else if (type_peel(&part.type, &part.type)) {
			/* an anonymous struct or union, or a base class: its
			 * members are named like ours */
			add_members(l, &part, &part.type, path, sign, depth);
		}
	}
}

static void
add_elements(struct list *l, const struct object *o, Dwarf_Die *type,
	     const char *path, unsigned depth)
{
	uint64_t n = 0;

	type_count(type, o->dim, &n);
	for (uint64_t i = 0; i < n && i < ELEMENTS_MAX; i++) {
		struct object e = element_object(o, type, i);

		add(l,
		    (struct sym_var){
			    .depth = depth,
			    .name = text(l, "[%" PRIu64 "]", i),
			    .path = text(l, "%s[%" PRIu64 "]", path, i) },
		    &e);
	}
}

static void
add_parts(struct list *l, const struct object *o, const char *path,
	  unsigned depth)
{
	struct object to = *o;
	const char *sign = ".";
	Dwarf_Die type;

	if (!type_peel(&to.type, &type))
		return;
	if (*path == '*')
		path = text(l, "(%s)", path);
	if (is_pointer(dwarf_tag(&type))) {
		sign = dwarf_tag(&type) == DW_TAG_pointer_type ? "->" : ".";
		if (!pointed_object(l->sc, o, &type, &to) ||
		    !type_peel(&to.type, &type))
			return;
		if (!is_struct(dwarf_tag(&type))) {
			add(l,
			    (struct sym_var){ .depth = depth,
					      .name = "*",
					      .path = text(l, "*%s", path) },
			    &to);
			return;
		}
	}
	if (is_struct(dwarf_tag(&type)))
		add_members(l, &to, &type, path, sign, depth);
	else if (dwarf_tag(&type) == DW_TAG_array_type)
		add_elements(l, &to, &type, path, depth);
}

static void
add_scope(struct list *l, Dwarf_Die *die, bool global, unsigned depth)
{
	Dwarf_Die child;

	for (int ret = dwarf_child(die, &child); ret == 0;
	     ret = dwarf_siblingof(&child, &child)) {
		const char *name = dwarf_diename(&child);
		struct object o;

		if (!is_variable(&child) ||
		    !variable_object(l->sc, &child, &o) ||
		    (global && o.loc.kind == LOC_NONE))
			continue;
		name = arena_strdup(l->sc->a, name);
		add(l,
		    (struct sym_var){ .name = name,
				      .path = name,
				      .depth = depth,
				      .argument = dwarf_tag(&child) ==
						  DW_TAG_formal_parameter,
				      .global = global },
		    &o);
	}
}

static bool
has_globals(Dwarf_Die *unit)
{
	Dwarf_Die child;

	for (int ret = dwarf_child(unit, &child); ret == 0;
	     ret = dwarf_siblingof(&child, &child))
		if (is_variable(&child))
			return true;
	return false;
}

int
symbols_vars(struct symbols *s, const struct sym_frame *f,
	     const char *const *open, size_t n_open, struct arena *a,
	     struct sym_var **out, size_t *n, struct err *err)
{
	struct scopes path;
	struct scope sc;
	struct list l = { .sc = &sc, .open = open, .n_open = n_open };

	*out = NULL;
	*n = 0;
	(void)err;
	if (!frame_scope(s, f, a, &sc, &path))
		return 0;
	for (size_t i = path.n; i-- > 0;)
		add_scope(&l, &path.v[i], false, 0);
	if (has_globals(&sc.unit)) {
		struct sym_var v = { .name = "globals",
				     .path = "globals",
				     .value = "of this source file",
				     .parts = true,
				     .global = true };

		v.open = is_open(&l, v.path);
		vec_push(&l.v, v);
		if (v.open)
			add_scope(&l, &sc.unit, true, 1);
	}
	*out = arena_dup(a, l.v.v, l.v.len * sizeof(*l.v.v));
	*n = l.v.len;
	vec_free(&l.v);
	return 0;
}
