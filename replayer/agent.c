/*
 * Patched call sites (docs/AGENT.md). Replay has the same stubs as the
 * recording, at the same addresses. By itself each call through them halts,
 * whoever made it when it was recorded.
 *
 * On the way to somewhere, when many calls of the agent's follow each other, it
 * makes them again here: it gets their records, compares number, arguments,
 * stack pointer and place, and stores what the kernel stored. The last of them
 * halts, and is compared with all registers. Events are read ahead for this:
 *
 *   replayed   in records              last (peek)   source
 *   ... e10    e11 e12 ... e4998       e4999         e5000 ...
 */
#include "replayer/agent.h"

#include "agent/abi.h"
#include "agent/blob.h"
#include "base/mem.h"
#include "event/sys.h"
#include "replayer/agent_relay.h"
#include "replayer/internal.h"
#include "replayer/timeline.h"
#include "tracee/batch.h"
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define AHEAD_MAX 16384u /* events at once */
#define AHEAD_MIN 2u	 /* fewer are not worth it */
#define RECORDS_MAX 0x80000u /* bytes of records: as much as a cache holds */
#define REGS_TOLD 8u /* AGENT_PC to AGENT_R9: what the agent compares */

#define JUMP_LEN 7u   /* of a jump to a stub */
#define JUMP_BACK 25u /* so far behind its start it may cover */

/* So many hand-overs among so many events are worth their slots. */
#define RELAY_MIN 3u
#define RELAY_LOOK 32u

struct ahead {
	struct event last; /* outlives what was borrowed from the source */
	struct puppet *p;  /* whose it is */
	struct relay relay;
	struct buf payload;
	struct buf records;
};

void
agent_halt(struct puppet *p)
{
	uint64_t after;

	p->call_pc = p->regs.rip;
	/* The stub's syscall, the jump behind it, then where that leads. */
	if (p->regs.rip - AGENT_SITES < AGENT_SITES_LEN && p->space &&
	    mem_read_all(&p->space->mem, p->regs.rip + 6, &after,
			 sizeof(after)) == 0)
		p->regs.rip = after;
}

/* ---- stubs, as agent/abi.h has them */

#define STUB_MOVED 8u	     /* where the moved instructions begin */
#define STUB_CALL_BEFORE 12u /* bytes between those and the syscall */

/* Where in a stub its syscall instruction is, and what it goes on at; 0: it is
 * none. */
static size_t
read_stub(const uint8_t code[AGENT_SITE_SIZE], uint64_t *after)
{
	static const uint8_t call[] = { 0x0f, 0x05, 0xff, 0x25, 0, 0, 0, 0 };

	for (size_t at = STUB_MOVED + STUB_CALL_BEFORE;
	     at + 16 <= AGENT_SITE_SIZE; at++)
		if (memcmp(code + at, call, sizeof(call)) == 0) {
			memcpy(after, code + at + 8, sizeof(*after));
			return at;
		}
	return 0;
}

/* The stub that the jump in code leads to; 0: it is no such jump. */
static uint64_t
leads_to(const uint8_t *code)
{
	static const uint8_t jump[] = { 0xff, 0x24, 0x25 };
	uint32_t stub;

	memcpy(&stub, code + sizeof(jump), sizeof(stub));
	return memcmp(code, jump, sizeof(jump)) == 0 &&
			       stub - AGENT_SITES < AGENT_SITES_LEN &&
			       stub % AGENT_SITE_SIZE == 0
		       ? stub
		       : 0;
}

/* Where the instruction is that was at addr, back bytes behind a jump to that
 * stub; 0: the jump does not cover it. */
static uint64_t
place_in(const struct puppet *p, uint64_t stub, uint64_t addr, uint64_t back)
{
	uint8_t code[AGENT_SITE_SIZE];
	uint64_t after, moved;
	size_t call;

	if (mem_read_all(&p->space->mem, stub, code, sizeof(code)) < 0)
		return 0;
	call = read_stub(code, &after);
	if (call == 0)
		return 0;
	moved = call - STUB_CALL_BEFORE - STUB_MOVED;
	if (addr - back + moved + 2 != after || back > moved)
		return 0;
	return back == moved ? stub + call : stub + STUB_MOVED + back;
}

uint64_t
agent_place(const struct puppet *p, uint64_t addr)
{
	uint8_t code[JUMP_BACK + JUMP_LEN];
	uint64_t stub, place;

	if (mem_read_all(&p->space->mem, addr - JUMP_BACK, code, sizeof(code)) <
	    0)
		return addr;
	for (unsigned back = 1; back <= JUMP_BACK; back++) {
		stub = leads_to(code + JUMP_BACK - back);
		place = stub != 0 ? place_in(p, stub, addr, back) : 0;
		if (place != 0)
			return place;
	}
	return addr;
}

uint64_t
agent_shown(const struct puppet *p)
{
	uint64_t rip = p->regs.rip, at = rip % AGENT_SITE_SIZE, after, moved;
	uint8_t code[AGENT_SITE_SIZE];
	size_t call;

	if (rip - AGENT_SITES >= AGENT_SITES_LEN || !p->space ||
	    mem_read_all(&p->space->mem, rip - at, code, sizeof(code)) < 0)
		return rip;
	call = read_stub(code, &after);
	if (call == 0)
		return rip;
	moved = call - STUB_CALL_BEFORE - STUB_MOVED;
	if (moved > 0 && at == call)
		return after - 2;
	/* The first one's place is the jump's. */
	return at > STUB_MOVED && at < STUB_MOVED + moved
		       ? after - 2 - moved + at - STUB_MOVED
		       : rip;
}

uint64_t
agent_call_place(const struct puppet *p, uint64_t after)
{
	const uint64_t end = AGENT_SITES + AGENT_SITES_LEN;
	uint64_t stub = AGENT_SITES + AGENT_SITE_SIZE, to;
	uint8_t code[AGENT_SITE_SIZE];
	size_t call;

	/* They follow each other. */
	for (; stub < end; stub += AGENT_SITE_SIZE) {
		if (mem_read_all(&p->space->mem, stub, code, sizeof(code)) < 0)
			break;
		call = read_stub(code, &to);
		if (call == 0)
			break;
		if (to == after)
			return call > STUB_MOVED + STUB_CALL_BEFORE
				       ? stub + call
				       : after - 2; /* a jump is there */
	}
	return after - 2;
}

void
agent_fault(struct puppet *p)
{
	uint64_t rip = p->regs.rip, at = rip % AGENT_SITE_SIZE, after;
	uint8_t code[AGENT_SITE_SIZE];
	size_t call;

	if (rip - AGENT_SITES >= AGENT_SITES_LEN || !p->space ||
	    mem_read_all(&p->space->mem, rip - at, code, sizeof(code)) < 0)
		return;
	call = read_stub(code, &after);
	if (call != 0 && at >= STUB_MOVED && at + STUB_CALL_BEFORE < call)
		p->regs.rip = after - 2 - (call - STUB_CALL_BEFORE) + at;
}

/* ---- events read ahead */

static void
keep(struct ahead *a, const struct event *ev)
{
	a->last = *ev;
	if (ev->payload.p == a->payload.p)
		return;
	buf_clear(&a->payload);
	buf_put(&a->payload, ev->payload.p, ev->payload.len);
	a->last.payload = buf_span(&a->payload);
}

void
agent_ahead_free(struct ahead *a)
{
	if (!a)
		return;
	buf_free(&a->payload);
	buf_free(&a->records);
	relay_free(&a->relay);
	mem_free(a);
}

/* ---- records */

static size_t
padded(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

/* Room for a piece of that length, whose bytes follow. */
static uint8_t *
begin_piece(struct buf *out, uint64_t addr, uint64_t len)
{
	const struct agent_piece piece = { .addr = addr, .len = len };
	size_t n = padded((size_t)len);
	uint8_t *p = buf_grow(out, sizeof(piece) + n);

	memcpy(p, &piece, sizeof(piece));
	p += sizeof(piece);
	if (n > len)
		memset(p + n - 8, 0, 8);
	return p;
}

/* Memory that the event stores, as pieces; how many, or an error. *fits: it is
 * not too much. Blobs and zeros are longer than their items. */
static int
put_pieces(struct replayer *r, const struct event *ev, struct buf *out,
	   bool *fits, struct err *err)
{
	size_t left = RECORDS_MAX / 2;
	struct item_reader ir;
	struct item it;
	int ret, n = 0;

	*fits = true;
	item_reader_init(&ir, ev->payload);
	while ((ret = item_next(&ir, &it, err)) > 0) {
		struct span bytes = { 0 };

		if (it.kind != ITEM_MEM && it.kind != ITEM_MEM_BLOB &&
		    it.kind != ITEM_ZERO)
			continue;
		*fits = it.len < left &&
			sizeof(struct agent_piece) + padded(it.len) <= left;
		if (!*fits)
			return n;
		left -= sizeof(struct agent_piece) + padded(it.len);
		n++;
		if (it.kind == ITEM_ZERO) {
			memset(begin_piece(out, it.addr, it.len), 0, it.len);
			continue;
		}
		bytes = it.bytes;
		if (it.kind == ITEM_MEM_BLOB)
			ret = source_item_bytes(r->src, &it, &r->tmp, &bytes,
						err);
		if (ret < 0)
			return ret;
		if (bytes.len > 0)
			memcpy(begin_piece(out, it.addr, bytes.len), bytes.p,
			       bytes.len);
	}
	return ret < 0 ? ret : n;
}

/* Calls that are to be made again, as pieces; their number or an error. */
static int
put_calls(struct replayer *r, struct puppet *p, const struct event *ev,
	  struct buf *out, struct err *err)
{
	struct batch b;
	int ret;

	batch_init(&b, BATCH_AT);
	ret = syscall_plan(r, p, ev, &b, err);
	for (size_t i = 0; ret == 0 && i < b.n; i++) {
		struct agent_again c = { .nr = b.call[i].nr,
					 .want = (int64_t)b.call[i].want };

		memcpy(c.arg, b.call[i].arg, sizeof(c.arg));
		memcpy(begin_piece(out, AGENT_PIECE_AGAIN, sizeof(c)), &c,
		       sizeof(c));
	}
	return ret < 0 ? ret : (int)b.n;
}

/* What the agent compares, as far as it is not that of the record before this
 * one in out: regs. */
static uint32_t
put_regs(const struct event *ev, struct buf *out, uint64_t regs[REGS_TOLD],
	 bool all)
{
	uint64_t now[REGS_TOLD] = { ev->pc, ev->sp };
	uint32_t changed = 0;
	uint8_t *p;

	memcpy(&now[AGENT_RDI], ev->args, sizeof(ev->args));
	buf_reserve(out, sizeof(now));
	p = out->p + out->len;
	for (unsigned i = 0; i < REGS_TOLD; i++) {
		if (!all && now[i] == regs[i])
			continue;
		memcpy(p, &now[i], sizeof(now[i]));
		p += sizeof(now[i]);
		changed |= 1u << i;
		regs[i] = now[i];
	}
	out->len = (size_t)(p - out->p);
	return changed;
}

static uint16_t
what_of(const struct event *ev)
{
	return ev->kind == EV_enter  ? AGENT_ENTERS
	       : ev->kind == EV_exit ? AGENT_EXITS
				     : AGENT_CALLED;
}

/* 1, or 0: it would be too long. */
static int
put_record(struct replayer *r, struct puppet *p, const struct event *ev,
	   struct buf *out, uint64_t regs[REGS_TOLD], struct err *err)
{
	struct agent_rec rec = {
		.nr = (uint16_t)ev->call,
		.ret = ev->ret,
		.what = what_of(ev),
		.slot = (uint16_t)relay_slot(&r->ahead->relay, p),
	};
	size_t at = out->len;
	bool fits = true;
	int ncalls = 0, ret = 0;

	buf_grow(out, sizeof(rec));
	if (ev->kind != EV_exit)
		rec.changed = put_regs(ev, out, regs, at == 0);
	if (sys_desc(ev->call)->replay != SYS_DATA)
		ncalls = put_calls(r, p, ev, out, err);
	if (ncalls < 0)
		return ncalls;
	if (ev->payload.len > 0)
		ret = put_pieces(r, ev, out, &fits, err);
	if (ret < 0)
		return ret;
	if (!fits) {
		out->len = at;
		return 0;
	}
	rec.len = (uint32_t)(out->len - at);
	rec.npieces = (uint16_t)(ncalls + ret);
	memcpy(out->p + at, &rec, sizeof(rec));
	return 1;
}

/* A call that the agent can make again: it prints nothing, and all that it does
 * is in its event. */
static bool
can_be_ahead(const struct puppet *p, const struct event *ev)
{
	/* What replaces pages touches watched bytes without a trap. */
	return ev->kind == EV_syscall && (ev->flags & EVF_AGENT) &&
	       ev->task == p->task && syscall_can_be_ahead(ev) &&
	       (p->watched != p->pid ||
		sys_desc(ev->call)->replay == SYS_DATA) &&
	       !output_writes(p, ev);
}

/* It comes to this call or instruction of its own accord, whatever becomes of
 * it there. */
static bool
halts_at(const struct puppet *p, const struct event *ev)
{
	return (ev->kind == EV_syscall || ev->kind == EV_enter ||
		ev->kind == EV_insn) &&
	       (ev->flags & EVF_RUNS) && ev->task == p->task;
}

/* ---- the agent in a replayed space */

int
agent_plan_in(struct replayer *r, struct puppet *p, struct batch *b,
	      struct err *err)
{
	const int how = MAP_PRIVATE | MAP_FIXED;
	int ret = 0;

	if (!r->has_code)
		ret = file_of_bytes(
			r, "pt-agent:", span_of(agent_code, agent_code_len),
			&r->code_fd, err);
	if (ret < 0)
		return ret;
	r->has_code = p->space->has_agent = true;
	batch_add(b, SYS_mmap, AGENT_CODE, AGENT_CODE, AGENT_CODE_LEN,
		  PROT_READ | PROT_EXEC, (uint64_t)how, (uint64_t)r->code_fd,
		  0);
	batch_add(b, SYS_mmap, AGENT_DATA + AGENT_DATA_SHARED,
		  AGENT_DATA + AGENT_DATA_SHARED,
		  AGENT_DATA_LEN - AGENT_DATA_SHARED, PROT_READ | PROT_WRITE,
		  (uint64_t)(how | MAP_ANONYMOUS | MAP_NORESERVE), UINT64_MAX,
		  0);
	return 0;
}

/* What the recording does not have: its code, stack and ring. */
static int
bring_in(struct replayer *r, struct puppet *p, struct err *err)
{
	struct batch b;
	int ret;

	if (p->space->has_agent)
		return 0;
	batch_init(&b, BATCH_AT);
	ret = agent_plan_in(r, p, &b, err);
	return ret < 0 ? ret : puppet_batch(p, &b, err);
}

static int
start(struct puppet *p, struct span records, struct err *err)
{
	const struct mem *m = &p->space->mem;
	const struct agent_data d = {
		.enter = AGENT_CODE,
		.flags = AGENT_REPLAY,
		.stack = AGENT_SLOT(0) + AGENT_STACK,
		.room = records.len,
	};

	if (mem_write_bulk(m, AGENT_DATA + AGENT_RING, records.p, records.len) <
		    0 ||
	    mem_write_all(m, AGENT_DATA, &d,
			  offsetof(struct agent_data, kind)) < 0)
		return err_set(err, EFAULT, "cannot write pastime's pages");
	return 0;
}

/* Out of it; how many bytes of records it has used. */
static int
stop(struct puppet *p, uint64_t *used, struct err *err)
{
	const struct mem *m = &p->space->mem;
	const uint64_t trap = AGENT_TRAP;

	if (mem_read_all(m, AGENT_DATA + offsetof(struct agent_data, pos), used,
			 sizeof(*used)) < 0 ||
	    mem_write_all(m, AGENT_DATA, &trap, sizeof(trap)) < 0)
		return err_set(err, EFAULT, "pastime's pages are gone");
	return 0;
}

/* ---- ahead */

static bool
waits_ahead(const struct event *ev)
{
	return ev->kind == EV_enter && (ev->flags & EVF_AGENT) &&
	       sys_desc(ev->call)->replay == SYS_DATA;
}

/* Is there more to come of this kind? */
static bool
is_relay(const struct event *ev, size_t n)
{
	unsigned found = 0;

	for (size_t i = 0; i < n && i < RELAY_LOOK; i++)
		found += waits_ahead(&ev[i]);
	return found >= RELAY_MIN;
}

/* The task of enter waits, and that of ev[0] returns and goes on to ev[1]:
 * records of both. 1, 0: it is not so, or an error. */
static int
put_hand_over(struct replayer *r, const struct event *enter,
	      const struct event *ev, size_t n, uint64_t regs[REGS_TOLD],
	      struct err *err)
{
	struct ahead *a = r->ahead;
	struct puppet *p = world_puppet(r->now, ev->task);
	size_t at = a->records.len;
	int ret;

	if (n < 2 || ev->kind != EV_exit || (ev->flags & EVF_RESTART) ||
	    !(ev->flags & EVF_AGENT) || ev->seq != enter->seq + 1 ||
	    ev[1].seq != ev->seq + 1 || sys_desc(ev->call)->replay != SYS_DATA)
		return 0;
	if ((a->relay.n == 1 && !is_relay(ev, n)) || !relay_is_possible() ||
	    !relay_joins(&a->relay, p, ev) || !halts_at(p, &ev[1]) ||
	    inside_took_long(r, ev->time_ns, &ev[1]))
		return 0;
	ret = put_record(r, a->p, enter, &a->records, regs, err);
	if (ret > 0)
		ret = put_record(r, p, ev, &a->records, regs, err);
	if (ret <= 0) {
		a->records.len = at;
		return ret;
	}
	if (sys_desc(ev->call)->flags & SYSF_FD)
		output_track(r, p, ev);
	a->p = p;
	return 1;
}

/* Of n events that were read those that follow *prev, which becomes the last of
 * them, as far as all but that one can be ahead; records of those. How many
 * records, or an error. */
static int
collect_some(struct replayer *r, const struct event **prev,
	     const struct event *ev, size_t n, uint64_t regs[REGS_TOLD],
	     struct err *err)
{
	struct ahead *a = r->ahead;
	size_t i = 0;
	int ret = 1;

	for (; i < n && a->records.len < RECORDS_MAX; i++) {
		if (waits_ahead(*prev)) {
			ret = put_hand_over(r, *prev, ev + i, n - i, regs, err);
			if (ret <= 0)
				break;
			*prev = &ev[++i];
			continue;
		}
		if (!can_be_ahead(a->p, *prev))
			break;
		/* Where the next may write to, this one may say. */
		if (sys_desc((*prev)->call)->flags & SYSF_FD)
			output_track(r, a->p, *prev);
		if (ev[i].seq != (*prev)->seq + 1 || !halts_at(a->p, &ev[i]) ||
		    inside_took_long(r, (*prev)->time_ns, &ev[i]))
			break;
		ret = put_record(r, a->p, *prev, &a->records, regs, err);
		if (ret <= 0)
			break;
		*prev = &ev[i];
	}
	return ret < 0 ? ret : (int)i;
}

/*
 * Read events behind r->ahead->last, which is the first: records of all that
 * can be made ahead but the last, which it becomes and may be any call: there
 * the task halts. The number of records.
 */
static int
collect(struct replayer *r, uint64_t until, struct err *err)
{
	struct ahead *a = r->ahead;
	const uint64_t first = a->last.seq;
	uint64_t regs[REGS_TOLD];
	const struct event *prev, *ev;
	size_t had, n;
	int ret, some;

	do {
		prev = &a->last;
		ret = source_look(r->src, &ev, &had, err);
		if (ret <= 0)
			break;
		n = had;
		if (n > until - prev->seq)
			n = (size_t)(until - prev->seq);
		if (n > AHEAD_MAX - (prev->seq - first))
			n = (size_t)(AHEAD_MAX - (prev->seq - first));
		some = collect_some(r, &prev, ev, n, regs, err);
		keep(a, prev);
		ret = some < 0 ? some
			       : source_seek(r->src, a->last.seq + 1, err);
	} while (ret >= 0 && (size_t)some == had);
	return ret < 0 ? ret : (int)(a->last.seq - first);
}

/* How many records there are in the first used bytes. */
static unsigned
count(struct span records, uint64_t used)
{
	unsigned n = 0;

	for (size_t at = 0; at < used && at < records.len; n++)
		at += ((const struct agent_rec *)(const void *)(records.p + at))
			      ->len;
	return n;
}

/* n records were made; the task halts at the n-th or an earlier event from
 * first on. */
static int
run(struct replayer *r, struct puppet *p, unsigned n, struct err *err)
{
	struct span records = buf_span(&r->ahead->records);
	const struct event *last = &r->ahead->last;
	uint64_t used = 0;
	unsigned done;
	int ret;

	ret = bring_in(r, p, err);
	if (ret == 0)
		ret = start(p, records, err);
	if (ret == 0)
		ret = relay_begin(&r->ahead->relay, err);
	if (ret == 0)
		ret = puppet_run(r, p, step_limit(r, last), 0, &p->halt, err);
	if (ret == 0)
		ret = stop(p, &used, err);
	if (ret == 0 && r->ahead->relay.n > 1)
		ret = relay_end(&r->ahead->relay, &p, err);
	if (ret < 0)
		return ret;
	p->halted = true;
	done = used == records.len ? n : count(records, used);
	r->now->seq += done;
	if (done < n)
		return 0; /* what it missed its own event will tell */
	r->now->time_ns = p->last_ns = last->time_ns;
	r->peek = *last;
	r->has_peek = true;
	r->reseek = false;
	return 0;
}

static bool
is_free(const struct puppet *p)
{
	return p && p->pid && p->space && !p->in_call && !p->halted;
}

int
agent_ahead(struct replayer *r, uint64_t until, struct err *err)
{
	struct puppet *p;
	int ret;

	if (r->now->seq + AHEAD_MIN > until || r->now->inside.task != 0)
		return 0;
	ret = replayer_peek(r, err);
	if (ret <= 0)
		return ret;
	p = world_puppet(r->now, r->peek.task);
	if (!is_free(p) || !can_be_ahead(p, &r->peek))
		return 0;
	if (!r->ahead)
		r->ahead = mem_zalloc(sizeof(*r->ahead));
	keep(r->ahead, &r->peek);
	r->ahead->p = p;
	relay_start(&r->ahead->relay, p);
	buf_clear(&r->ahead->records);
	r->has_peek = false;
	r->reseek = true; /* until all is well */
	ret = collect(r, until, err);
	if (ret > 0) {
		target_forget(r);
		ret = run(r, p, (unsigned)ret, err);
		if (ret < 0)
			r->stale = true;
		return ret;
	}
	if (ret < 0)
		return ret;
	r->peek = r->ahead->last;
	r->has_peek = true;
	r->reseek = false;
	return 0;
}
