#ifndef SYM_DWARF_H
#define SYM_DWARF_H

/*
 * What type.c, location.c, value.c and vars.c share: libdw's view of one module
 * and one frame.
 */
#include "sym/internal.h"
#include "sym/vars.h"

#include <dwarf.h>
#include <elfutils/libdw.h>

/* Where the bytes of an object are. */
enum loc_kind {
	LOC_NONE,   /* nowhere: optimized out */
	LOC_MEMORY, /* at addr */
	LOC_BYTES,  /* in bytes, len of them: registers, constants, pieces */
};

struct loc {
	enum loc_kind kind;
	uint64_t addr;
	const uint8_t *bytes;
	size_t len;
};

/* The surroundings of an expression. */
struct scope {
	struct symbols *s;
	struct sym_module *m;
	const struct sym_frame *frame; /* NULL: no frame, only globals */
	Dwarf_Die unit;
	Dwarf_Die function; /* of the frame; its offset 0 = none */
	Dwarf_Addr bias;
	struct arena *a;
};

/* An object: what it is and where. */
struct object {
	Dwarf_Die type;
	unsigned dim; /* of an array type: so many dimensions are indexed */
	struct loc loc;
	unsigned bit_size, bit_offset; /* of a bit field, from loc's begin */
};

/* location.c: where attr (a location) says that an object is. */
struct loc location_of(const struct scope *sc, Dwarf_Attribute *attr);
/* len bytes at offset of it; false: not all there. */
bool loc_read(const struct scope *sc, const struct loc *l, uint64_t offset,
	      void *out, size_t len);
struct loc loc_part(const struct loc *l, uint64_t offset);

/* type.c */
bool die_number(Dwarf_Die *die, unsigned name, Dwarf_Word *out);
/* false: void, or unknown */
bool type_of(Dwarf_Die *die, Dwarf_Die *out);
/* Without typedefs, const and the like; the definition of a declared type. */
bool type_peel(Dwarf_Die *type, Dwarf_Die *out);
/* dim: so many dimensions of an array are taken off. */
const char *type_name(Dwarf_Die *type, unsigned dim, struct arena *a);
uint64_t type_size(Dwarf_Die *type); /* 0 = unknown */
/* Arrays: how many dimensions, elements of one (false: not told), and bytes
 * from one element of it to the next (0: not told). Dimension 0 is the
 * outermost. */
unsigned type_dimensions(Dwarf_Die *array);
bool type_count(Dwarf_Die *array, unsigned dim, uint64_t *out);
uint64_t type_stride(Dwarf_Die *array, unsigned dim);

/* value.c: one line. */
void value_text(const struct scope *sc, const struct object *o,
		struct buf *out);
/* The integer, pointer or bit field o as a number; false: it is none. */
bool value_number(const struct scope *sc, const struct object *o, int64_t *out);

/* A part of a struct or union; false: its type is not told. */
bool member_object(const struct object *whole, Dwarf_Die *member,
		   struct object *out);
bool is_member(Dwarf_Die *die); /* data of each object, or a base class */
/* type: of array, peeled. */
struct object element_object(const struct object *array, Dwarf_Die *type,
			     uint64_t i);

/* vars.c */
#define SCOPES_MAX 32u

struct scopes {
	Dwarf_Die v[SCOPES_MAX]; /* outermost first */
	size_t n;
};

/* What is in scope at f's pc; false: no debug information for it. */
bool frame_scope(struct symbols *s, const struct sym_frame *f, struct arena *a,
		 struct scope *sc, struct scopes *path);
bool is_variable(Dwarf_Die *die); /* defined, with a name */
bool variable_object(const struct scope *sc, Dwarf_Die *die,
		     struct object *out); /* false: no type */
/* What o points to; false: nothing that can be looked at. */
bool pointed_object(const struct scope *sc, const struct object *o,
		    Dwarf_Die *pointer, struct object *out);
/* Type, value, place and size of o into v. */
void describe_object(const struct scope *sc, const struct object *o,
		     struct sym_var *v);

#endif
