/* One variable or part of one by its expression. */
#include "sym/dwarf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct parse {
	struct scope sc;
	struct scopes path;
	bool framed; /* sc and path are the frame's */
	const char *at;
	const char *begin;
	struct err *err;
};

static int postfix(struct parse *p, struct object *out);

static void
blanks(struct parse *p)
{
	p->at += strspn(p->at, " ");
}

/* The length of a name at the cursor; C++ names have "::". */
static size_t
name_len(const char *s)
{
	size_t n = 0;

	if (!isalpha((uint8_t)*s) && *s != '_')
		return 0;
	while (isalnum((uint8_t)s[n]) || s[n] == '_' || s[n] == '$' ||
	       (s[n] == ':' && s[n + 1] == ':') ||
	       (s[n] == ':' && n && s[n - 1] == ':'))
		n++;
	return n;
}

static bool
named(Dwarf_Die *die, const char *name, size_t len)
{
	const char *is = dwarf_diename(die);

	return is && !strncmp(is, name, len) && !is[len];
}

static bool
find_in(const struct scope *sc, Dwarf_Die *die, const char *name, size_t len,
	struct object *out)
{
	Dwarf_Die child;

	for (int ret = dwarf_child(die, &child); ret == 0;
	     ret = dwarf_siblingof(&child, &child)) {
		if (dwarf_tag(&child) == DW_TAG_namespace &&
		    find_in(sc, &child, name, len, out))
			return true;
		if (is_variable(&child) && named(&child, name, len) &&
		    variable_object(sc, &child, out) &&
		    (out->loc.kind != LOC_NONE ||
		     dwarf_tag(die) != DW_TAG_compile_unit))
			return true;
	}
	return false;
}

static bool
find_global(struct parse *p, const char *name, size_t len, struct object *out)
{
	struct symbols *s = p->sc.s;

	for (size_t i = 0; i < s->modules.len; i++) {
		struct sym_module *m = &s->modules.v[i];
		struct scope sc = { .s = s, .m = m, .a = p->sc.a };
		Dwarf_Die *unit = NULL;

		sc.frame = p->framed ? p->sc.frame : NULL;
		while (m->dwfl &&
		       (unit = dwfl_module_nextcu(m->dwfl, unit, &sc.bias))) {
			sc.unit = *unit;
			if (!find_in(&sc, unit, name, len, out))
				continue;
			p->sc = sc;
			return true;
		}
	}
	return false;
}

static int
primary(struct parse *p, struct object *out)
{
	size_t len;
	const char *name;

	blanks(p);
	if (*p->at == '(') {
		int ret;

		p->at++;
		ret = postfix(p, out);
		blanks(p);
		if (ret == 0 && *p->at++ != ')')
			return err_set(p->err, E_USAGE, "%s: a ) is missing",
				       p->begin);
		return ret;
	}
	len = name_len(p->at);
	if (!len)
		return err_set(p->err, E_USAGE,
			       "%s: a variable, then .member, ->member or "
			       "[number]",
			       p->begin);
	name = p->at;
	p->at += len;
	for (size_t i = p->framed ? p->path.n : 0; i-- > 0;)
		if (find_in(&p->sc, &p->path.v[i], name, len, out))
			return 0;
	if ((p->framed && find_in(&p->sc, &p->sc.unit, name, len, out)) ||
	    find_global(p, name, len, out))
		return 0;
	return err_set(p->err, E_NOT_FOUND, "no variable is named \"%.*s\"",
		       (int)len, name);
}

static int
follow(struct parse *p, struct object *o)
{
	struct object to;
	Dwarf_Die type;

	if (type_peel(&o->type, &type) &&
	    dwarf_tag(&type) == DW_TAG_array_type) {
		*o = element_object(o, &type, 0);
		return 0;
	}
	if (!type_peel(&o->type, &type) ||
	    !pointed_object(&p->sc, o, &type, &to))
		return err_set(p->err, E_NOT_FOUND,
			       "\"%.*s\" points to nothing that is known",
			       (int)(p->at - p->begin), p->begin);
	*o = to;
	return 0;
}

static bool
find_member(const struct object *whole, Dwarf_Die *type, const char *name,
	    size_t len, struct object *out)
{
	Dwarf_Die m;

	for (int ret = dwarf_child(type, &m); ret == 0;
	     ret = dwarf_siblingof(&m, &m)) {
		struct object part;

		if (!is_member(&m) || !member_object(whole, &m, &part))
			continue;
		if (named(&m, name, len)) {
			*out = part;
			return true;
		}
		if (!dwarf_diename(&m) && type_peel(&part.type, &part.type) &&
		    find_member(&part, &part.type, name, len, out))
			return true;
	}
	return false;
}

static int
member(struct parse *p, struct object *o)
{
	Dwarf_Die type;
	size_t len;
	const char *name;

	blanks(p);
	name = p->at;
	len = name_len(name);
	p->at += len;
	if (!len || !type_peel(&o->type, &type) ||
	    !find_member(o, &type, name, len, o))
		return err_set(p->err, E_NOT_FOUND,
			       "no member is named \"%.*s\"", (int)len, name);
	return 0;
}

static int
element(struct parse *p, struct object *o)
{
	char *end;
	uint64_t i = strtoull(p->at, &end, 0);
	Dwarf_Die type;

	if (end == p->at || *end != ']')
		return err_set(p->err, E_USAGE,
			       "%s: a number and ] are missing", p->begin);
	p->at = end + 1;
	if (!type_peel(&o->type, &type))
		return err_set(p->err, E_NOT_FOUND, "its type is unknown");
	if (dwarf_tag(&type) == DW_TAG_array_type) {
		*o = element_object(o, &type, i);
		return 0;
	}
	if (follow(p, o) < 0)
		return -E_NOT_FOUND;
	o->loc = loc_part(&o->loc, i * type_size(&o->type));
	return 0;
}

static int
postfix(struct parse *p, struct object *out)
{
	unsigned stars = 0;
	int ret;

	blanks(p);
	for (; *p->at == '*' || *p->at == ' '; p->at++)
		stars += *p->at == '*';
	ret = primary(p, out);
	while (ret == 0) {
		blanks(p);
		if (*p->at == '.') {
			p->at++;
			ret = member(p, out);
		} else if (p->at[0] == '-' && p->at[1] == '>') {
			ret = follow(p, out);
			p->at += 2;
			if (ret == 0)
				ret = member(p, out);
		} else if (*p->at == '[') {
			p->at++;
			ret = element(p, out);
		} else {
			break;
		}
	}
	while (ret == 0 && stars--)
		ret = follow(p, out);
	return ret;
}

/* Without debug information there is the symbol table: a place and a size. */
static int
by_symbol(struct symbols *s, const char *expr, struct sym_var *out)
{
	if (symbols_by_name(s, expr, &out->addr, &out->size, NULL) < 0)
		return -E_NOT_FOUND;
	out->value = "";
	return 0;
}

int
symbols_var(struct symbols *s, const struct sym_frame *f, const char *expr,
	    struct arena *a, struct sym_var *out, struct err *err)
{
	struct parse p = { .at = expr, .begin = expr, .err = err };
	struct object o;
	int ret;

	*out = (struct sym_var){ .name = arena_strdup(a, expr) };
	out->path = out->name;
	p.framed = f && frame_scope(s, f, a, &p.sc, &p.path);
	p.sc.s = s;
	p.sc.a = a;
	ret = postfix(&p, &o);
	if (ret == 0 && *p.at)
		return err_set(err, E_USAGE, "%s: \"%s\" is not understood",
			       expr, p.at);
	if (ret == 0)
		describe_object(&p.sc, &o, out);
	else if (ret == -E_NOT_FOUND && by_symbol(s, expr, out) == 0)
		ret = 0;
	return ret;
}
