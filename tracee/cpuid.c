#include "tracee/cpuid.h"

#include <cpuid.h>

#include "base/mem.h"
#include "base/vec.h"

#define EXT 0x80000000u
#define HYPER 0x40000000u
/* No CPU has as many; a broken hypervisor must not make us loop. */
#define MAX_LEAVES 0x40u
#define MAX_SUBLEAVES 64u

enum reg { EAX, EBX, ECX, EDX };

/* Bits that programs do not get to see. */
struct mask {
	uint32_t leaf, subleaf;
	enum reg reg;
	uint32_t clear;
};

#define BIT(n) (1u << (n))
#define ALL 0xffffffffu

/* clang-format off */
static const struct mask masks[] = {
	{ 0x1, 0, EBX, 0xff000000u },	/* APIC id */
	{ 0x1, 0, ECX, BIT(3) |		/* MONITOR */
		       BIT(15) |	/* PDCM */
		       BIT(30) },	/* RDRAND */
	{ 0x7, 0, EBX, BIT(2) |		/* SGX */
		       BIT(4) | BIT(11) | /* HLE, RTM */
		       BIT(18) |	/* RDSEED */
		       BIT(25) },	/* PT */
	{ 0x7, 0, ECX, BIT(3) | BIT(4) | /* PKU, OSPKE */
		       BIT(5) |		/* WAITPKG */
		       BIT(7) |		/* SHSTK */
		       BIT(22) |	/* RDPID */
		       BIT(23) |	/* key locker */
		       BIT(27) | BIT(28) | BIT(29) }, /* MOVDIR*, ENQCMD */
	{ 0x7, 0, EDX, BIT(5) |		/* user interrupts */
		       BIT(11) |	/* RTM_ALWAYS_ABORT */
		       BIT(16) |	/* TSXLDTRK */
		       BIT(20) |	/* IBT */
		       BIT(22) | BIT(24) | BIT(25) }, /* AMX */
	{ 0x7, 1, EAX, BIT(21) },	/* AMX-FP16 */
	{ 0xd, 0, EBX, ALL },		/* see the header */
	{ 0xd, 1, EAX, 0x1fu },		/* XSAVEOPT, XSAVEC, XGETBV(1), XSAVES, XFD */
	{ 0xd, 1, EBX, ALL },
	{ EXT + 1, 0, ECX, BIT(15) |	/* LWP */
			   BIT(29) },	/* MONITORX */
	{ EXT + 8, 0, EBX, BIT(0) |	/* CLZERO */
			   BIT(4) },	/* RDPRU */
	{ EXT + 0x1e, 0, EAX, ALL },	/* extended APIC id */
	{ EXT + 0x1e, 0, EBX, 0xffu },
	{ EXT + 0x1e, 0, ECX, 0xffu },
};

/* Leaves that are all zero: SGX, performance counters, PT, AMX, key locker. */
static const uint32_t empty[] = { 0xa, 0x12, 0x14, 0x19, 0x1d, 0x1e, 0x23 };

/* Leaves that look at ecx; for all others it is ignored. */
static const uint32_t indexed[] = {
	0x4, 0x7, 0xb, 0xd, 0xf, 0x10, 0x12, 0x14, 0x17, 0x18, 0x1b, 0x1d,
	0x1e, 0x1f, 0x20, 0x23, 0x24, EXT + 0x1d, EXT + 0x20, EXT + 0x26,
};
/* clang-format on */

static bool
is_in(const uint32_t *list, size_t n, uint32_t leaf)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (list[i] == leaf)
			return true;
	return false;
}

/* x2APIC id in edx, level in ecx: also for levels that are not there. */
bool
cpuid_is_topology(uint32_t leaf)
{
	return leaf == 0xb || leaf == 0x1f || leaf == EXT + 0x26;
}

bool
cpuid_is_indexed(uint32_t leaf)
{
	return is_in(indexed, ARRAY_LEN(indexed), leaf);
}

static void
hide(uint32_t leaf, uint32_t subleaf, uint32_t v[4])
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(masks); i++)
		if (masks[i].leaf == leaf && masks[i].subleaf == subleaf)
			v[masks[i].reg] &= ~masks[i].clear;
	if (is_in(empty, ARRAY_LEN(empty), leaf))
		memset(v, 0, 4 * sizeof(v[0]));
	if (cpuid_is_topology(leaf))
		v[EDX] = 0;
}

static bool
is_last(uint32_t leaf, uint32_t subleaf, uint32_t max7, const uint32_t v[4])
{
	if (leaf == 0x7)
		return subleaf >= max7;
	if (leaf == 0xd)
		return subleaf + 1 >= MAX_SUBLEAVES;
	if (leaf == 0x4 || leaf == EXT + 0x1d)
		return (v[EAX] & 0x1f) == 0; /* no more caches */
	if (cpuid_is_topology(leaf))
		return (v[ECX] >> 8 & 0xff) == 0;
	return subleaf >= 3;
}

struct rows {
	VEC(struct cpuid_row) v;
};

static void
read_leaf(struct rows *rows, uint32_t leaf)
{
	bool many = cpuid_is_indexed(leaf);
	uint32_t subleaf, max7 = 0;

	for (subleaf = 0; subleaf < MAX_SUBLEAVES; subleaf++) {
		uint32_t v[4];
		bool last;

		__cpuid_count(leaf, subleaf, v[EAX], v[EBX], v[ECX], v[EDX]);
		if (leaf == 0x7 && subleaf == 0)
			max7 = v[EAX];
		last = !many || is_last(leaf, subleaf, max7, v);
		hide(leaf, subleaf, v);
		/* Components of XSAVE that do not exist are zeros. */
		if (subleaf < 2 || (v[EAX] | v[EBX] | v[ECX] | v[EDX]) != 0) {
			struct cpuid_row row = { leaf,	 subleaf, v[EAX],
						 v[EBX], v[ECX],  v[EDX] };

			vec_push(&rows->v, row);
		}
		if (last)
			break;
	}
}

static void
read_range(struct rows *rows, uint32_t base)
{
	uint32_t max, b, c, d, i;

	__cpuid(base, max, b, c, d);
	/* Of the hypervisor at most its name and features. */
	if (max < base || max - base >= MAX_LEAVES)
		max = base;
	for (i = base; i <= max; i++)
		read_leaf(rows, i);
}

void
cpuid_capture(struct cpuid_table *out)
{
	struct rows rows = { 0 };
	uint32_t a, b, c, d;

	read_range(&rows, 0);
	__cpuid(1, a, b, c, d);
	if ((c & BIT(31)) != 0)
		read_range(&rows, HYPER);
	read_range(&rows, EXT);
	out->rows = rows.v.v;
	out->len = rows.v.len;
}

void
cpuid_save(const struct cpuid_table *t, struct buf *out)
{
	size_t i;

	for (i = 0; i < t->len; i++) {
		buf_u32(out, t->rows[i].leaf);
		buf_u32(out, t->rows[i].subleaf);
		buf_u32(out, t->rows[i].eax);
		buf_u32(out, t->rows[i].ebx);
		buf_u32(out, t->rows[i].ecx);
		buf_u32(out, t->rows[i].edx);
	}
}

int
cpuid_load(struct cpuid_table *t, struct span bytes, struct err *err)
{
	size_t i, n = bytes.len / 24;
	struct reader r;

	if (n == 0 || bytes.len % 24 != 0)
		return err_set(err, E_FORMAT, "a CPUID table of %zu bytes",
			       bytes.len);
	reader_init(&r, bytes);
	t->rows = mem_calloc(n, sizeof(t->rows[0]));
	t->len = n;
	for (i = 0; i < n; i++) {
		struct cpuid_row *row = &t->rows[i];

		row->leaf = reader_u32(&r);
		row->subleaf = reader_u32(&r);
		row->eax = reader_u32(&r);
		row->ebx = reader_u32(&r);
		row->ecx = reader_u32(&r);
		row->edx = reader_u32(&r);
	}
	return 0;
}

void
cpuid_free(struct cpuid_table *t)
{
	mem_free(t->rows);
	*t = (struct cpuid_table){ 0 };
}

static const struct cpuid_row *
find(const struct cpuid_table *t, uint32_t leaf, uint32_t subleaf)
{
	size_t i;

	for (i = 0; i < t->len; i++)
		if (t->rows[i].leaf == leaf && t->rows[i].subleaf == subleaf)
			return &t->rows[i];
	return NULL;
}

/* Beyond the last leaf Intel gives the last basic one, AMD zeros. */
uint32_t
cpuid_out_of_range(const struct cpuid_table *t)
{
	const struct cpuid_row *zero = find(t, 0, 0);

	return zero != NULL && zero->ebx == signature_INTEL_ebx ? zero->eax
								: UINT32_MAX;
}

static uint32_t
in_range(const struct cpuid_table *t, uint32_t leaf)
{
	const struct cpuid_row *top = find(t, leaf & 0xffff0000u, 0);

	return top != NULL && leaf <= top->eax ? leaf : cpuid_out_of_range(t);
}

void
cpuid_answer(const struct cpuid_table *t, uint32_t leaf, uint32_t subleaf,
	     uint32_t out[4])
{
	const struct cpuid_row *row;

	memset(out, 0, 4 * sizeof(out[0]));
	leaf = in_range(t, leaf);
	row = find(t, leaf, cpuid_is_indexed(leaf) ? subleaf : 0);
	if (row != NULL) {
		out[EAX] = row->eax;
		out[EBX] = row->ebx;
		out[ECX] = row->ecx;
		out[EDX] = row->edx;
	} else if (cpuid_is_topology(leaf)) {
		out[ECX] = subleaf & 0xff;
	}
}

uint64_t
cpuid_xcr0(void)
{
	uint32_t a, b, c, d;

	__cpuid(1, a, b, c, d);
	if ((c & bit_OSXSAVE) == 0)
		return 0;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return a | (uint64_t)d << 32;
}

void
cpuid_model(struct buf *out)
{
	uint32_t v[12], eax, b, c, d, family, model;
	unsigned i;

	__cpuid(0, eax, v[0], v[2], v[1]);
	buf_put(out, v, 12);
	__cpuid(EXT, eax, b, c, d);
	if (eax >= EXT + 4) {
		for (i = 0; i < 3; i++)
			__cpuid(EXT + 2 + i, v[i * 4], v[i * 4 + 1],
				v[i * 4 + 2], v[i * 4 + 3]);
		buf_u8(out, ' ');
		buf_put(out, v, strnlen((const char *)v, sizeof(v)));
		while (out->p[out->len - 1] == ' ')
			out->len--;
	}
	__cpuid(1, eax, b, c, d);
	family = eax >> 8 & 0xf;
	model = eax >> 4 & 0xf;
	if (family == 0xf || family == 6)
		model |= eax >> 12 & 0xf0;
	if (family == 0xf)
		family += eax >> 20 & 0xff;
	buf_printf(out, " %u/%u/%u", family, model, eax & 0xf);
}
