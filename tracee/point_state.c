/* A point as data: its stored form, and comparing with a task. */
#include "tracee/point.h"

#include <string.h>
#include <sys/uio.h>

#include "base/mem.h"
#include "tracee/point_priv.h"
#include "tracee/ptrace.h"

#define FORMAT 1u
#define XSTATE_MAX 65536u
#define SUMS_MAX (1u << 22)
#define SPACE_END 0x800000000000u
#define BATCH_SUMS 64u /* read in one call */
#define BATCH_BYTES (64u * POINT_PAGE)

/* In the xsave area: software's and the header with XSTATE_BV, which may
 * differ for the same contents (a component in its initial state may count as
 * in use or not). */
#define XSAVE_SW 464u
#define XSAVE_COMPONENTS 576u

#define FLAG_COMPLETE 1u

void
point_free(struct point *p)
{
	buf_free(&p->xstate);
	buf_free(&p->bytes);
	vec_free(&p->ranges);
	vec_free(&p->sums);
	*p = (struct point){ 0 };
}

/* ---- the stored form */

/* Bytes of which many 8-byte words are zero: runs of zero words and of others;
 * what is left behind the last whole word as it is. */
static void
put_sparse(struct buf *b, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	size_t words = len / 8, at = 0;
	uint64_t w;

	buf_varint(b, len);
	while (at < words) {
		size_t zeros = 0, n = 0;

		while (at + zeros < words &&
		       (memcpy(&w, p + (at + zeros) * 8, 8), w == 0))
			zeros++;
		at += zeros;
		while (at + n < words && (memcpy(&w, p + (at + n) * 8, 8), w))
			n++;
		buf_varint(b, zeros);
		buf_varint(b, n);
		buf_put(b, p + at * 8, n * 8);
		at += n;
	}
	buf_put(b, p + words * 8, len % 8);
}

/* Append what put_sparse wrote; false: damaged, or more than max. */
static bool
get_sparse(struct reader *r, struct buf *out, size_t max)
{
	uint64_t len = reader_varint(r), words = len / 8, at = 0;
	struct span s;

	if (r->bad || len > max)
		return false;
	while (at < words) {
		uint64_t zeros = reader_varint(r), n = reader_varint(r);

		if (r->bad || zeros > words - at || n > words - at - zeros ||
		    zeros + n == 0)
			return false;
		memset(buf_grow(out, zeros * 8), 0, zeros * 8);
		s = reader_bytes(r, n * 8);
		buf_put(out, s.p, s.len);
		at += zeros + n;
	}
	s = reader_bytes(r, len % 8);
	buf_put(out, s.p, s.len);
	return !r->bad;
}

void
point_encode(const struct point *p, struct buf *out)
{
	uint64_t last = 0;

	buf_u8(out, FORMAT);
	buf_u8(out, p->way);
	buf_u8(out, p->complete ? FLAG_COMPLETE : 0);
	buf_u8(out, p->code_len);
	buf_put(out, p->code, p->code_len);
	buf_varint(out, p->cpu_ns);
	buf_varint(out, p->visits);
	put_sparse(out, &p->regs, sizeof(p->regs));
	put_sparse(out, p->xstate.p, p->xstate.len);
	buf_varint(out, p->ranges.len);
	for (size_t i = 0; i < p->ranges.len; i++) {
		const struct point_range *r = &p->ranges.v[i];

		buf_varint(out, r->addr / 8);
		put_sparse(out, p->bytes.p + r->at, r->len);
	}
	buf_varint(out, p->sums.len);
	for (size_t i = 0; i < p->sums.len; i++) {
		const struct point_sum *s = &p->sums.v[i];

		buf_varint(out, (s->addr - last) / POINT_PAGE);
		buf_u8(out, (uint8_t)s->pages);
		buf_u64(out, s->hash);
		last = s->addr;
	}
	for (size_t i = 0; i < POINT_ANCHORS; i++)
		buf_varint(out, p->anchors[i]);
}

static bool
get_regs(struct reader *r, struct point *p)
{
	struct buf b = { 0 };
	bool ok =
		get_sparse(r, &b, sizeof(p->regs)) && b.len == sizeof(p->regs);

	if (ok)
		memcpy(&p->regs, b.p, sizeof(p->regs));
	buf_free(&b);
	return ok;
}

static bool
get_ranges(struct reader *r, struct point *p)
{
	uint64_t n = reader_varint(r);

	if (r->bad || n > STUB_RANGES)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		struct point_range g = { .addr = reader_varint(r) * 8,
					 .at = (uint32_t)p->bytes.len };

		if (!get_sparse(r, &p->bytes, STUB_WANT_SIZE - p->bytes.len))
			return false;
		g.len = (uint32_t)(p->bytes.len - g.at);
		if (g.len % 8 != 0 || g.addr >= SPACE_END)
			return false;
		vec_push(&p->ranges, g);
	}
	return true;
}

static bool
get_sums(struct reader *r, struct point *p)
{
	uint64_t n = reader_varint(r), last = 0;

	if (r->bad || n > SUMS_MAX)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		struct point_sum s = { 0 };
		uint64_t step = reader_varint(r);

		if (step > SPACE_END / POINT_PAGE)
			return false;
		s.addr = last + step * POINT_PAGE;
		s.pages = reader_u8(r);
		s.hash = reader_u64(r);
		last = s.addr;
		/* Also ends a hostile count early. */
		if (r->bad || s.pages == 0 || s.pages > POINT_SUM_PAGES ||
		    s.addr >= SPACE_END)
			return false;
		vec_push(&p->sums, s);
	}
	return true;
}

static bool
get_point(struct reader *r, struct point *p)
{
	struct span code;
	uint8_t format = reader_u8(r);

	p->way = reader_u8(r);
	p->complete = (reader_u8(r) & FLAG_COMPLETE) != 0;
	p->code_len = reader_u8(r);
	if (r->bad || format != FORMAT || p->code_len > POINT_CODE ||
	    (p->way != POINT_JUMP && p->way != POINT_TRAP))
		return false;
	code = reader_bytes(r, p->code_len);
	if (code.len > 0)
		memcpy(p->code, code.p, code.len);
	p->cpu_ns = reader_varint(r);
	p->visits = reader_varint(r);
	if (r->bad || !get_regs(r, p) ||
	    !get_sparse(r, &p->xstate, XSTATE_MAX) || !get_ranges(r, p) ||
	    !get_sums(r, p))
		return false;
	for (size_t i = 0; i < POINT_ANCHORS; i++)
		p->anchors[i] = reader_varint(r);
	return !r->bad && reader_done(r);
}

int
point_decode(struct span s, struct point *out, struct err *err)
{
	struct point p = { 0 };
	struct reader r;

	reader_init(&r, s);
	if (!get_point(&r, &p)) {
		point_free(&p);
		return err_set(err, E_FORMAT, "a damaged execution point");
	}
	*out = p;
	return 0;
}

/* ---- comparing */

uint64_t
point_gpr(const struct regs *r, unsigned n)
{
	static const size_t at[16] = {
		offsetof(struct regs, rax), offsetof(struct regs, rcx),
		offsetof(struct regs, rdx), offsetof(struct regs, rbx),
		offsetof(struct regs, rsp), offsetof(struct regs, rbp),
		offsetof(struct regs, rsi), offsetof(struct regs, rdi),
		offsetof(struct regs, r8),  offsetof(struct regs, r9),
		offsetof(struct regs, r10), offsetof(struct regs, r11),
		offsetof(struct regs, r12), offsetof(struct regs, r13),
		offsetof(struct regs, r14), offsetof(struct regs, r15),
	};
	uint64_t v;

	ASSERT(n < ARRAY_LEN(at));
	memcpy(&v, (const char *)r + at[n], sizeof(v));
	return v;
}

void
point_read(const struct mem *m, uint64_t addr, void *out, size_t n)
{
	uint8_t *p = out;
	ssize_t got = mem_read(m, addr, p, n);

	if (got < (ssize_t)n)
		memset(p + (got > 0 ? got : 0), 0,
		       n - (size_t)(got > 0 ? got : 0));
}

uint64_t
point_hash(const struct mem *m, uint64_t addr, uint32_t pages)
{
	uint64_t p[POINT_SUM_PAGES * POINT_PAGE / 8];

	ASSERT(pages <= POINT_SUM_PAGES);
	point_read(m, addr, p, pages * POINT_PAGE);
	return stub_hash(p, pages);
}

/* Read as many sums as fit, in one call; how many of them it got, all of each.
 */
static size_t
read_sums(const struct mem *m, const struct point_sum *v, size_t n,
	  uint8_t *pages)
{
	struct iovec to = { .iov_base = pages }, from[BATCH_SUMS] = { 0 };
	size_t want = 0, whole = 0;
	ssize_t got;

	for (; want < n && want < BATCH_SUMS; want++) {
		size_t len = v[want].pages * POINT_PAGE;

		if (to.iov_len + len > BATCH_BYTES)
			break;
		from[want].iov_base = (void *)(uintptr_t)v[want].addr;
		from[want].iov_len = len;
		to.iov_len += len;
	}
	got = process_vm_readv(m->pid, &to, 1, from, want, 0);
	while (whole < want && got >= (ssize_t)from[whole].iov_len)
		got -= (ssize_t)from[whole++].iov_len;
	return whole;
}

void
point_hash_all(const struct mem *m, struct point_sum *v, size_t n)
{
	uint64_t *pages = mem_alloc(BATCH_BYTES);
	size_t i = 0;

	while (i < n) {
		size_t got = read_sums(m, v + i, n - i, (uint8_t *)pages);
		const uint64_t *p = pages;

		/* The first one needs more rights, or has holes. */
		if (got == 0) {
			v[i].hash = point_hash(m, v[i].addr, v[i].pages);
			i++;
		}
		for (; got > 0; got--, i++) {
			v[i].hash = stub_hash(p, v[i].pages);
			p += v[i].pages * POINT_PAGE / 8;
		}
	}
	mem_free(pages);
}

bool
point_code_agrees(const struct mem *m, const struct point *p,
		  const struct patch *patch)
{
	uint8_t is[POINT_CODE];
	size_t len = p->code_len;
	struct window w;

	/* Behind it there may be data that changes. */
	if (p->way == POINT_JUMP &&
	    window_at(span_of(p->code, len), p->regs.rip, &w) && w.len < len)
		len = w.len < WINDOW_JUMP ? WINDOW_JUMP : w.len;
	if (mem_read_all(m, p->regs.rip, is, len) < 0)
		return false;
	if (patch != NULL)
		memcpy(is, patch->orig, patch->len);
	return memcmp(is, p->code, len) == 0;
}

const char *
point_regs_differ(const struct regs *is, const struct point *p)
{
	struct regs a = *is, b = p->regs;

	a.eflags &= POINT_FLAGS;
	b.eflags &= POINT_FLAGS;
	a.orig_rax = b.orig_rax = 0;
	for (size_t i = 0; reg_table[i].name != NULL; i++)
		if (regs_get(&a, i) != regs_get(&b, i))
			return reg_table[i].name;
	return NULL;
}

bool
point_xstate_agrees(pid_t tid, const struct point *p)
{
	const struct buf *want = &p->xstate;
	struct buf is = { 0 };
	bool ok = false;

	if (ptrace_get_xstate(tid, &is) == 0 && is.len == want->len) {
		size_t head = is.len < XSAVE_SW ? is.len : XSAVE_SW;

		ok = memcmp(is.p, want->p, head) == 0 &&
		     (is.len <= XSAVE_COMPONENTS ||
		      memcmp(is.p + XSAVE_COMPONENTS,
			     want->p + XSAVE_COMPONENTS,
			     is.len - XSAVE_COMPONENTS) == 0);
	}
	buf_free(&is);
	return ok;
}

/* What was read from addr, as it is without the patch. */
static void
unpatch(const struct patch *patch, uint64_t addr, void *bytes, size_t n)
{
	for (unsigned i = 0; patch != NULL && i < patch->len; i++)
		if (patch->addr + i - addr < n)
			((uint8_t *)bytes)[patch->addr + i - addr] =
				patch->orig[i];
}

bool
point_ranges_agree(const struct mem *m, const struct point *p,
		   const struct patch *patch)
{
	uint64_t page[POINT_PAGE / 8];

	for (size_t i = 0; i < p->ranges.len; i++) {
		const struct point_range *r = &p->ranges.v[i];

		for (uint32_t at = 0; at < r->len; at += POINT_PAGE) {
			uint32_t n = r->len - at < POINT_PAGE ? r->len - at
							      : POINT_PAGE;

			point_read(m, r->addr + at, page, n);
			unpatch(patch, r->addr + at, page, n);
			if (memcmp(page, p->bytes.p + r->at + at, n) != 0)
				return false;
		}
	}
	return true;
}

static bool
sum_agrees(const struct mem *m, const struct point_sum *s,
	   const struct patch *patch)
{
	uint64_t p[POINT_SUM_PAGES * POINT_PAGE / 8];

	ASSERT(s->pages <= POINT_SUM_PAGES);
	point_read(m, s->addr, p, s->pages * POINT_PAGE);
	unpatch(patch, s->addr, p, s->pages * POINT_PAGE);
	return stub_hash(p, s->pages) == s->hash;
}

ptrdiff_t
point_sum_differs(const struct mem *m, const struct point *p, size_t hint,
		  const struct patch *patch)
{
	uint64_t *pages;
	size_t i = 0;

	if (hint < p->sums.len && !sum_agrees(m, &p->sums.v[hint], patch))
		return (ptrdiff_t)hint;
	pages = mem_alloc(BATCH_BYTES);
	while (i < p->sums.len) {
		const struct point_sum *s = &p->sums.v[i];
		size_t got = read_sums(m, s, p->sums.len - i, (uint8_t *)pages);
		uint64_t *at = pages;

		/* More rights are needed, or there are holes. */
		if (got == 0 && !sum_agrees(m, s, patch))
			break;
		i += got == 0;
		for (; got > 0; got--, i++, s++) {
			unpatch(patch, s->addr, at, s->pages * POINT_PAGE);
			if (stub_hash(at, s->pages) != s->hash)
				break;
			at += s->pages * POINT_PAGE / 8;
		}
		if (got > 0)
			break;
	}
	mem_free(pages);
	return i < p->sums.len ? (ptrdiff_t)i : -1;
}

/* The sum with the page of addr, or NULL. */
static const struct point_sum *
find_sum(const struct point *p, uint64_t addr)
{
	size_t lo = 0, hi = p->sums.len;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct point_sum *s = &p->sums.v[mid];

		if (addr < s->addr)
			hi = mid;
		else if (addr >= s->addr + (uint64_t)s->pages * POINT_PAGE)
			lo = mid + 1;
		else
			return s;
	}
	return NULL;
}

bool
point_wrote(const struct point *p, uint64_t addr)
{
	return find_sum(p, addr) != NULL;
}

bool
point_sum_agrees_at(const struct mem *m, const struct point *p, uint64_t addr)
{
	const struct point_sum *s = find_sum(p, addr);

	return s == NULL || sum_agrees(m, s, NULL);
}

int
point_compare(const struct point_run *run, const struct point *p,
	      const char **what, struct err *err)
{
	struct regs regs;
	int ret = ptrace_get_regs(run->tid, &regs);

	if (ret < 0)
		return err_set(err, -ret, "cannot read registers of task %d",
			       run->tid);
	*what = point_regs_differ(&regs, p);
	if (*what == NULL && !point_xstate_agrees(run->tid, p))
		*what = "extended registers";
	if (*what == NULL && !point_ranges_agree(&run->mem, p, NULL))
		*what = "stack or hot pages";
	if (*what == NULL && point_sum_differs(&run->mem, p, 0, NULL) >= 0)
		*what = "pages written";
	return *what == NULL;
}
