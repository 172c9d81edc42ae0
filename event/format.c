/* One line for every event. */
#include "event/format.h"

#include <inttypes.h>

#include "base/mem.h"
#include "event/format_priv.h"
#include "event/pos.h"

static bool
find_kv(const struct event *ev, const char *key, struct span *out)
{
	struct item_reader ir;
	struct item it;
	const char *k;

	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0)
		if (item_get_kv(&it, &k, out) == 0 && strcmp(k, key) == 0)
			return true;
	return false;
}

/* NUL-separated words: "ls" "-l". */
static void
words(struct fmt *f, struct span s)
{
	size_t n = 0;

	while (s.len > 0) {
		const uint8_t *nul = memchr(s.p, '\0', s.len);
		size_t len = nul ? (size_t)(nul - s.p) : s.len;

		if (n++)
			buf_str(f->out, " ");
		if (n > 20) {
			buf_str(f->out, "...");
			return;
		}
		fmt_quote(f, span_of(s.p, len));
		len += nul ? 1 : 0;
		s = span_of(s.p + len, s.len - len);
	}
}

static void
format_header(struct fmt *f)
{
	struct span v;

	buf_str(f->out, "recording begins");
	if (find_kv(f->ev, "argv", &v)) {
		buf_str(f->out, ": ");
		words(f, v);
	}
	if (find_kv(f->ev, "cwd", &v)) {
		buf_str(f->out, " in ");
		buf_escape(f->out, v);
	}
}

static void
format_birth(struct fmt *f)
{
	const struct event *ev = f->ev;
	struct span v;

	buf_printf(f->out,
		   "+++ task %u is born: tid %" PRIu64 ", process %" PRIu64,
		   ev->task, ev->args[0], ev->args[1]);
	if (ev->args[2])
		buf_printf(f->out, ", by task %" PRIu64 " with ", ev->args[2]);
	if (ev->args[2])
		fmt_flags(f, flags_clone, ev->args[3]);
	if (find_kv(ev, "comm", &v)) {
		buf_str(f->out, ", called ");
		fmt_quote(f, v);
	}
	buf_str(f->out, " +++");
}

static void
format_enter(struct fmt *f)
{
	fmt_call(f);
	buf_str(f->out,
		sys_desc(f->ev->call)->flags & SYSF_NORETURN ? " = ?" : " ...");
}

static void
format_exit(struct fmt *f)
{
	buf_str(f->out, "... ");
	fmt_call(f);
	buf_str(f->out, " = ");
	fmt_result(f);
}

static void
format_syscall(struct fmt *f)
{
	fmt_call(f);
	buf_str(f->out, " = ");
	fmt_result(f);
}

static void
format_insn(struct fmt *f)
{
	static const char *const names[] = {
		[1] = "rdtsc",	[2] = "rdtscp", [3] = "cpuid",	 [4] = "rdrand",
		[5] = "rdseed", [6] = "rdpid",	[7] = "vsyscall"
	};
	const struct event *ev = f->ev;

	if (ev->args[0] > 0 && ev->args[0] < ARRAY_LEN(names))
		buf_str(f->out, names[ev->args[0]]);
	else
		buf_printf(f->out, "instruction %" PRIu64, ev->args[0]);
	if (ev->args[0] == 3)
		buf_printf(f->out, "(%#x, %#x)", (unsigned)ev->args[2],
			   (unsigned)ev->args[3]);
	buf_str(f->out, " = ");
	fmt_hex(f, (uint64_t)ev->ret);
}

static void
format_signal(struct fmt *f)
{
	static const char *const outcomes[] = { [1] = "handler",
						[2] = "ignored",
						[3] = "fatal",
						[4] = "stops the process",
						[5] = "continues the process" };
	const struct event *ev = f->ev;
	struct item it;

	buf_printf(f->out, "--- %s ", signal_name((int)ev->args[0]));
	if (item_find(ev->payload, ITEM_SIGINFO, UINT64_MAX, &it) &&
	    it.bytes.len >= 28)
		fmt_siginfo(f, it.bytes);
	else
		buf_printf(f->out, "{si_code=%d}", (int)ev->args[1]);
	if (ev->args[3] > 0 && ev->args[3] < ARRAY_LEN(outcomes))
		buf_printf(f->out, " %s", outcomes[ev->args[3]]);
	if (ev->args[3] == 1 && ev->args[4]) {
		buf_str(f->out, " ");
		fmt_hex(f, ev->args[4]);
	}
	buf_str(f->out, " ---");
}

static void
format_exec(struct fmt *f)
{
	struct span v;

	buf_str(f->out, "+++ runs ");
	if (find_kv(f->ev, "exe", &v))
		buf_escape(f->out, v);
	else
		buf_str(f->out, "a new program");
	if (find_kv(f->ev, "argv", &v)) {
		buf_str(f->out, ": ");
		words(f, v);
	}
	buf_str(f->out, " +++");
}

static void
format_death(struct fmt *f)
{
	const struct event *ev = f->ev;

	buf_printf(f->out, "+++ task %u ends: ", ev->task);
	fmt_status(f, (int)ev->args[0]);
	if (ev->args[2]) {
		buf_str(f->out, "; its process: ");
		fmt_status(f, (int)ev->args[1]);
	}
	buf_str(f->out, " +++");
}

static void
format_file(struct fmt *f)
{
	const struct blob_id *ids;
	struct file_rec rec;
	const char *path;
	struct item it;
	size_t n;

	buf_printf(f->out, "file %" PRIu64, f->ev->args[0]);
	if (item_find(f->ev->payload, ITEM_FILE, UINT64_MAX, &it) &&
	    item_get_file(&it, &rec, &path, &ids, &n, NULL) == 0) {
		buf_str(f->out, ": ");
		buf_escape(f->out, span_str(path));
		buf_printf(f->out, ", %" PRIu64 " bytes", rec.size);
		if (!rec.whole)
			buf_str(f->out, ", in part");
	}
}

static void
format_memory(struct fmt *f)
{
	struct item_reader ir;
	struct item it;
	uint64_t bytes = 0, first = 0;

	item_reader_init(&ir, f->ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		if (it.kind != ITEM_MEM && it.kind != ITEM_MEM_BLOB &&
		    it.kind != ITEM_ZERO && it.kind != ITEM_MEM_TASK)
			continue;
		if (bytes == 0)
			first = it.addr;
		bytes += it.len;
	}
	buf_printf(f->out,
		   "memory changed from outside: %" PRIu64 " bytes from ",
		   bytes);
	fmt_hex(f, first);
}

/* The texts of an event, one after the other. */
static void
texts(struct fmt *f, const char *before)
{
	struct item_reader ir;
	struct item it;

	item_reader_init(&ir, f->ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		if (it.kind != ITEM_TEXT)
			continue;
		buf_str(f->out, before);
		buf_escape(f->out, it.bytes);
		before = "; ";
	}
}

static void
format_warning(struct fmt *f)
{
	buf_str(f->out, "warning");
	texts(f, ": ");
}

/* The position of a point by its address, once a replay has counted. */
static void
format_sched(struct fmt *f)
{
	const struct event *ev = f->ev;
	struct pos pos = { .seq = ev->seq - 1, .pc = ev->pc };
	char text[POS_TEXT_MAX];

	buf_str(f->out, ev->flags & EVF_UNTIMED
				? "switched away while it computed at "
				: "interrupted while it computed at ");
	pos.visit = ev->args[2];
	if (pos.visit != 0)
		buf_str(f->out, pos_format(&pos, text));
	else
		fmt_hex(f, ev->pc);
}

static void
format_checksum(struct fmt *f)
{
	buf_printf(f->out, "checksum of space %" PRIu64 ": ", f->ev->args[0]);
	fmt_hex(f, f->ev->args[1]);
}

static void
format_stop(struct fmt *f)
{
	if (f->ev->args[0] == 1)
		buf_printf(f->out, "--- stopped by %s ---",
			   signal_name((int)f->ev->args[1]));
	else
		buf_str(f->out, "--- continued ---");
}

static void
format_end(struct fmt *f)
{
	buf_str(f->out, "recording ends: ");
	fmt_status(f, (int)f->ev->args[0]);
	buf_printf(f->out, ", %" PRIu64 " events", f->ev->args[1]);
	texts(f, "; ");
}

/* The words of docs/CHAOS.md. */
static void
fmt_plan(struct fmt *f, const uint64_t *a)
{
	static const char *const plan[] = { "",	   "few",  "walk", "race",
					    "any", "step", "named" };
	static const char *const births[] = { "any", "gather", "child",
					      "soft" };
	static const char *const places[] = { "any", "after write",
					      "before write", "after call",
					      "between calls" };
	uint64_t b = a[2] & 255, p = a[2] >> 8;

	buf_printf(f->out, "plan %s, births %s, places %s",
		   a[1] < ARRAY_LEN(plan) ? plan[a[1]] : "?",
		   b < ARRAY_LEN(births) ? births[b] : "?",
		   p < ARRAY_LEN(places) ? places[p] : "?");
}

static void
format_chaos(struct fmt *f)
{
	const uint64_t *a = f->ev->args;

	buf_str(f->out, "chaos: ");
	switch ((enum chaos_choice)a[0]) {
	case CHAOS_HOLD:
		buf_printf(f->out, "held for %" PRIu64 " us at most%s",
			   a[1] / 1000,
			   a[2] == HOLD_TIME ? ", come what may" : "");
		return;
	case CHAOS_TURN:
		buf_str(f->out, "its turn ends");
		return;
	case CHAOS_PRIORITY:
		buf_printf(f->out, "priority %" PRIu64, a[1]);
		return;
	case CHAOS_SLICE:
		buf_printf(f->out, "a turn of %" PRIu64 " us", a[1] / 1000);
		return;
	case CHAOS_AMBUSH:
		buf_str(f->out, "ambushed at ");
		fmt_hex(f, a[1]);
		buf_printf(f->out, ", visit %" PRIu64, a[2]);
		return;
	case CHAOS_SHORT:
		buf_printf(f->out, "%" PRIu64 " of %" PRIu64 " bytes offered",
			   a[2], a[1]);
		return;
	case CHAOS_EINTR:
		buf_str(f->out, "EINTR for nothing");
		return;
	case CHAOS_WAKE:
		buf_printf(f->out, "wakes %" PRIu64 ", task %" PRIu64 " first",
			   a[1], a[2]);
		return;
	case CHAOS_SPURIOUS:
		buf_str(f->out, "woken for nothing");
		return;
	case CHAOS_CPUS:
		buf_printf(f->out, "%" PRIu64 " CPUs", a[1]);
		return;
	case CHAOS_MAP:
		buf_str(f->out, "maps near ");
		fmt_hex(f, a[1]);
		return;
	case CHAOS_SIGNAL:
		buf_printf(f->out, "%s waits for a worse place",
			   signal_name((int)a[1]));
		return;
	case CHAOS_MEET:
		buf_str(f->out, "stopped, as it touched ");
		fmt_hex(f, a[1]);
		buf_printf(f->out, ", which task %" PRIu64 " is about to touch",
			   a[2]);
		return;
	case CHAOS_PLAN:
		fmt_plan(f, a);
		return;
	}
	buf_printf(f->out, "choice %" PRIu64, a[0]);
}

static void
format_lost(struct fmt *f)
{
	buf_str(f->out, "lost: its task was killed");
}

void
event_format(const struct event *ev, const struct format_opts *o,
	     struct buf *out)
{
	static const struct {
		unsigned kind;
		void (*format)(struct fmt *f);
	} kinds[] = {
#define EVENT_KIND(id, name, what) { id, format_##name },
#include "event/kind.def"
#undef EVENT_KIND
	};
	struct fmt f;

	fmt_init(&f, ev, o, out);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (kinds[i].kind == ev->kind) {
			kinds[i].format(&f);
			return;
		}
	}
	buf_printf(out, "event of unknown kind %u", ev->kind);
}
