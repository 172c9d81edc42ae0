#include "tracee/cpuid_stub.h"

#include <cpuid.h>

#include "agent/abi.h"
#include "base/mem.h"

/* What the stub's code below finds at these offsets. */
struct row {
	uint32_t leaf;
	uint32_t any; /* whatever the subleaf */
	uint32_t subleaf;
	uint32_t eax, ebx, ecx, edx;
	uint32_t keep; /* bits of the subleaf that show in ecx */
};

/* clang-format off */
static const uint8_t code[] = {
	0x89, 0xc3,		/*	mov	%eax, %ebx	the leaf */
	0x9f,			/*	lahf */
	0x0f, 0x90, 0xc0,	/*	seto	%al */
	0x89, 0xc2,		/*	mov	%eax, %edx	the flags */
	0xb8, 0, 0, 0, 0,	/*	mov	$table, %eax */
	0x3b, 0x18,		/* 1:	cmp	(%rax), %ebx */
	0x75, 0x0b,		/*	jne	2f */
	0x83, 0x78, 0x04, 0x00,	/*	cmpl	$0, 4(%rax) */
	0x75, 0x1b,		/*	jne	3f */
	0x3b, 0x48, 0x08,	/*	cmp	8(%rax), %ecx */
	0x74, 0x16,		/*	je	3f */
	0x83, 0xc0, 0x20,	/* 2:	add	$32, %eax */
	0x3d, 0, 0, 0, 0,	/*	cmp	$end, %eax */
	0x72, 0xe7,		/*	jb	1b */
	0xbb, 0, 0, 0, 0,	/*	mov	$default, %ebx */
	0xb8, 0, 0, 0, 0,	/*	mov	$table, %eax */
	0xeb, 0xdb,		/*	jmp	1b */
	0x23, 0x48, 0x1c,	/* 3:	and	28(%rax), %ecx */
	0x0b, 0x48, 0x14,	/*	or	20(%rax), %ecx */
	0x89, 0xc3,		/*	mov	%eax, %ebx */
	0x89, 0xd0,		/*	mov	%edx, %eax */
	0x04, 0x7f,		/*	add	$127, %al	OF */
	0x9e,			/*	sahf			the others */
	0x8b, 0x43, 0x0c,	/*	mov	12(%rbx), %eax */
	0x8b, 0x53, 0x18,	/*	mov	24(%rbx), %edx */
	0x8b, 0x5b, 0x10,	/*	mov	16(%rbx), %ebx */
	0xff, 0x25, 0, 0, 0, 0,	/*	jmp	*0f(%rip) */
};				/* 0:	.quad	after */
/* clang-format on */

enum {
	AT_TABLE = 9,
	AT_END = 32,
	AT_DEFAULT = 39,
	AT_TABLE_AGAIN = 44,
};

_Static_assert(8 + CPUID_STUB_PRE_MAX + sizeof(code) + 8 <=
		       AGENT_CPUID_STUB_SIZE,
	       "a stub has room");
_Static_assert(AGENT_CPUID_STUBS +
			       AGENT_CPUID_STUBS_MAX * AGENT_CPUID_STUB_SIZE <=
		       AGENT_BASE + AGENT_SIZE,
	       "the page has room");

static void
put_row(struct cpuid_stubs *s, const struct row *r)
{
	buf_put(&s->table, r, sizeof(*r));
}

static bool
has_lahf(void)
{
	unsigned a, b, c, d;

	return __get_cpuid(0x80000001u, &a, &b, &c, &d) && (c & bit_LAHF_LM);
}

/* Leaves that are within range and have no row are zeros. */
static bool
put_gaps(struct cpuid_stubs *s, const struct cpuid_table *t,
	 const struct cpuid_row *top)
{
	for (uint32_t leaf = top->leaf; leaf <= top->eax; leaf++) {
		struct row r = { .leaf = leaf,
				 .any = 1,
				 .keep = cpuid_is_topology(leaf) ? 0xff : 0 };
		size_t i = 0;

		if (leaf - top->leaf >= 256)
			return false;
		while (i < t->len && t->rows[i].leaf != leaf)
			i++;
		if (i == t->len)
			put_row(s, &r);
	}
	return true;
}

static void
put_rows(struct cpuid_stubs *s, const struct cpuid_table *t)
{
	for (size_t i = 0; i < t->len; i++) {
		const struct cpuid_row *c = &t->rows[i];
		struct row r = { .leaf = c->leaf,
				 .any = !cpuid_is_indexed(c->leaf),
				 .subleaf = c->subleaf,
				 .eax = c->eax,
				 .ebx = c->ebx,
				 .ecx = c->ecx,
				 .edx = c->edx };

		put_row(s, &r);
		if (r.any || (i + 1 < t->len && t->rows[i + 1].leaf == c->leaf))
			continue;
		r = (struct row){ .leaf = c->leaf,
				  .any = 1,
				  .keep = cpuid_is_topology(c->leaf) ? 0xff
								     : 0 };
		put_row(s, &r);
	}
}

bool
cpuid_stubs_init(struct cpuid_stubs *s, const struct cpuid_table *t)
{
	const struct row nothing = { .leaf = UINT32_MAX, .any = 1 };
	bool ok = has_lahf();

	*s = (struct cpuid_stubs){ .default_leaf = cpuid_out_of_range(t) };
	put_rows(s, t);
	for (size_t i = 0; ok && i < t->len; i++)
		if ((t->rows[i].leaf & 0xffff) == 0 && t->rows[i].subleaf == 0)
			ok = put_gaps(s, t, &t->rows[i]);
	if (s->default_leaf == UINT32_MAX)
		put_row(s, &nothing);
	if (ok && s->table.len <= AGENT_CPUID_TABLE_MAX)
		return true;
	cpuid_stubs_free(s);
	return false;
}

void
cpuid_stubs_free(struct cpuid_stubs *s)
{
	buf_free(&s->table);
}

static void
set32(uint8_t *at, uint64_t v)
{
	uint32_t word = (uint32_t)v;

	memcpy(at, &word, sizeof(word));
}

void
cpuid_stub_put(const struct cpuid_stubs *s, unsigned n, struct span pre,
	       uint64_t after, struct buf *out)
{
	uint64_t begin = AGENT_CPUID_STUBS + n * AGENT_CPUID_STUB_SIZE + 8;
	uint8_t *p = buf_grow(out, AGENT_CPUID_STUB_SIZE);
	uint8_t *c = p + 8 + pre.len;

	ASSERT(n < AGENT_CPUID_STUBS_MAX && pre.len <= CPUID_STUB_PRE_MAX);
	memset(p, 0xcc, AGENT_CPUID_STUB_SIZE);
	memcpy(p, &begin, sizeof(begin));
	memcpy(p + 8, pre.p, pre.len);
	memcpy(c, code, sizeof(code));
	set32(c + AT_TABLE, AGENT_CPUID_TABLE);
	set32(c + AT_END, AGENT_CPUID_TABLE + s->table.len);
	set32(c + AT_DEFAULT, s->default_leaf);
	set32(c + AT_TABLE_AGAIN, AGENT_CPUID_TABLE);
	memcpy(c + sizeof(code), &after, sizeof(after));
}

static const uint8_t jump[3] = { 0xff, 0x24, 0x25 }; /* jmp *disp32 */

void
cpuid_stub_jump(unsigned n, uint8_t *out, size_t len)
{
	memcpy(out, jump, sizeof(jump));
	set32(out + sizeof(jump),
	      AGENT_CPUID_STUBS + n * AGENT_CPUID_STUB_SIZE);
	memset(out + CPUID_STUB_JUMP, 0xcc, len - CPUID_STUB_JUMP);
}

bool
cpuid_stub_is_jump(const uint8_t *at)
{
	uint32_t to;

	memcpy(&to, at + sizeof(jump), sizeof(to));
	return memcmp(at, jump, sizeof(jump)) == 0 &&
	       to - AGENT_CPUID_STUBS <
		       AGENT_CPUID_STUBS_MAX * AGENT_CPUID_STUB_SIZE;
}
