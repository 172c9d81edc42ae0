/*
 * rr-smoke [-aTdeKnopqv] [-A N] [-P FILE] [-r N] [-c N] [-s N] [-t N] [-x SEED
 * [-k KNOBS] [-l PLACES]] COMMAND...: record a command into memory and replay
 * it at once with everything checked. The developers' short way round the
 * store.
 *
 *   -a   with the agent, as usual   -A N at call sites seen N times
 *   -T   without: every call traps
 *   -r N with N bytes for its records   -e replay it event by event
 *   -K   account for its kernel calls   -P FILE a SIGUSR1 at each address there
 *   -d   print the events      -n   record only
 *   -q   no summary            -v   print events while replaying
 *   -p   print how each execution point was found again
 *   -o   catch both outputs, and compare what replay says was written
 *   -c N a checksum every N events (default 1000)
 *   -s N then visit N events from end to end and back: each looks the same
 *   -t N the whole thing N times
 *   -x SEED with hostile choices (-k KNOBS: these; -l PLACES: there)
 *
 * Status: 0 replayed alike, 1 diverged, 2 error; the command's status is
 * printed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/vec.h"
#include "event/format.h"
#include "event/memlog.h"
#include "recorder/knobs.h"
#include "replayer/replayer.h"
#include "replayer/target.h"
#include "tools/check.h"
#include "tracee/spawn.h"

struct smoke {
	bool dump, record_only, points, quiet, verbose, outputs;
	bool agent, single;
	unsigned agent_from;
	uint64_t agent_room;
	uint64_t checksum_every;
	unsigned seeks, times;
	int out[3];  /* what stands in for descriptors 1 and 2 */
	int real[3]; /* those, meanwhile */
	struct buf heard[3];
	struct chaos_opts chaos;
	struct agent_test test;
	VEC(uint64_t) prods;
	uint64_t record_ns, replay_ns;
};

static void
print_event(FILE *out, const struct event *ev)
{
	struct buf line = { 0 };

	event_format(ev, NULL, &line);
	fprintf(out, "%6llu t%u %-8s %s%s%s%s\n", (unsigned long long)ev->seq,
		ev->task, event_kind_name(ev->kind),
		ev->flags & EVF_RUNS ? "* " : "  ", buf_cstr(&line),
		ev->flags & EVF_RESTART ? " RESTART" : "",
		ev->flags & EVF_UNTIMED ? " UNTIMED"
		: ev->flags & EVF_AGENT ? " AGENT"
					: "");
	buf_free(&line);
}

static int
dump(struct source *src, FILE *out)
{
	struct err err = { 0 };
	struct event ev;
	int ret = src->ops->seek(src, 1, &err);

	while (ret >= 0 && (ret = source_next(src, &ev, &err)) > 0)
		print_event(out, &ev);
	return ret < 0 ? check_fail(&err, "reading events") : 0;
}

static int
redirect(struct smoke *o)
{
	for (int fd = 1; fd <= 2 && o->outputs; fd++) {
		o->out[fd] = memfd_create("output", MFD_CLOEXEC);
		o->real[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 900);
		if (o->out[fd] < 0 || o->real[fd] < 0)
			return -1;
		/* A description with O_APPEND, as a shell's >> makes it. */
		fcntl(o->out[fd], F_SETFL, O_APPEND);
		dup2(o->out[fd], fd);
	}
	return 0;
}

static void
restore(struct smoke *o)
{
	for (int fd = 1; fd <= 2 && o->outputs; fd++) {
		dup2(o->real[fd], fd);
		fd_close(&o->real[fd]);
	}
}

/* Every kernel call of the agent's is in an event, or was made again. */
static int
accounts(const struct agent_test *t)
{
	if (t->nprods > 0)
		fprintf(stderr, "rr-smoke: %zu of %zu prods\n", t->hits,
			t->nprods);
	if (!t->accounts)
		return 0;
	fprintf(stderr,
		"rr-smoke: %llu calls of the agent's: %llu told, %llu made "
		"again, %llu lost\n",
		(unsigned long long)t->made, (unsigned long long)t->told,
		(unsigned long long)t->again, (unsigned long long)t->lost);
	return t->lost != 0 || t->made != t->told + t->again;
}

/* Addresses, one to a line. */
static void
read_prods(struct smoke *o, const char *path)
{
	FILE *f = fopen(path, "r");
	char line[64];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		vec_push(&o->prods, strtoull(line, NULL, 16));
	if (f != NULL)
		fclose(f);
}

static int
record(struct smoke *o, char **argv, struct memlog *m,
       struct record_result *res)
{
	const struct record_opts ro = {
		.argv = argv,
		.checksum_every = o->checksum_every,
		.agent = o->agent,
		.agent_from = o->agent_from,
		.agent_room = o->agent_room,
		.agent_test = &o->test,
		.chaos = &o->chaos,
	};

	o->test = (struct agent_test){ .accounts = o->test.accounts,
				       .prods = o->prods.v,
				       .nprods = o->prods.len };
	return check_record(&ro, m, res) != 0 ? 2 : accounts(&o->test);
}

static void
hear(void *ctx, const struct event *ev, int fd, struct span bytes)
{
	struct smoke *o = ctx;

	buf_put(&o->heard[fd], bytes.p, bytes.len);
}

static int
compare_output(struct smoke *o, int fd)
{
	struct buf *got = &o->heard[fd], want = { 0 };
	size_t at = 0;
	int ret = 0;

	lseek(o->out[fd], 0, SEEK_SET);
	fd_read_all(o->out[fd], &want);
	if (!o->quiet)
		fd_write_all(fd, want.p, want.len);
	if (!span_eq(buf_span(&want), buf_span(got))) {
		while (at < want.len && at < got->len &&
		       want.p[at] == got->p[at])
			at++;
		dprintf(2,
			"rr-smoke: output %d differs at byte %zu (%zu bytes "
			"recorded, %zu replayed)\n",
			fd, at, want.len, got->len);
		ret = -1;
	}
	buf_free(&want);
	return ret;
}

/* A hash of all that can be seen: registers and writable memory of all tasks.
 */
static uint64_t
add(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3u;
	return h;
}

#define PAGE 4096u
#define HASHED_MAX (64u << 20) /* larger mappings are mostly empty */

/* By pages and addresses: how mappings are divided does not matter. */
static uint64_t
hash_map(struct target *t, uint32_t task, const struct target_map *m,
	 uint64_t h)
{
	static const uint8_t zero[PAGE];
	static uint8_t page[PAGE];

	for (uint64_t at = m->start; at < m->end; at += PAGE) {
		if (t->ops->read(t, task, at, page, PAGE) != PAGE ||
		    memcmp(page, zero, PAGE) == 0)
			continue;
		h = add(h, &at, sizeof(at));
		h = add(h, page, PAGE);
	}
	return h;
}

static uint64_t
hash_memory(struct target *t, uint32_t task, struct arena *a, uint64_t h)
{
	struct target_map *maps;
	size_t n;

	if (t->ops->maps(t, task, a, &maps, &n, NULL) < 0)
		return h;
	for (size_t i = 0; i < n; i++) {
		/* How far it was ahead shows in pastime's own. */
		if ((maps[i].prot & PROT_WRITE) &&
		    strcmp(maps[i].name, "[pastime]") != 0 &&
		    maps[i].end - maps[i].start <= HASHED_MAX)
			h = hash_map(t, task, &maps[i], h);
	}
	return h;
}

static uint64_t
hash_moment(struct replayer *r)
{
	struct target *t = replayer_target(r);
	uint64_t h = 0xcbf29ce484222325u;
	struct target_task *tasks;
	struct arena a = { 0 };
	size_t n;

	if (t->ops->tasks(t, &a, &tasks, &n, NULL) < 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		struct regs regs;

		if (t->ops->regs(t, tasks[i].task, &regs, NULL) < 0)
			continue;
		regs.orig_rax = 0;
		h = add(h, &regs, sizeof(regs));
		if (i == 0 || tasks[i].space != tasks[i - 1].space)
			h = hash_memory(t, tasks[i].task, &a, h);
	}
	arena_free(&a);
	return h;
}

static int
visit(struct smoke *o, struct replayer *r, struct err *err)
{
	uint64_t last = replayer_seq(r), start = clock_now_ns();
	unsigned n = o->seeks, seed = 42;
	uint64_t *seq = mem_calloc(n, sizeof(*seq));
	uint64_t *hash = mem_calloc(n, sizeof(*hash));
	int ret = 0;

	/* Forwards, leaving checkpoints; then backwards. */
	for (unsigned i = 0; i < n; i++)
		seq[i] = 1 + last * i / n +
			 (uint64_t)rand_r(&seed) % (last / n + 1);
	for (unsigned i = 0; ret == 0 && i < n; i++) {
		if (seq[i] > last)
			seq[i] = last;
		ret = replayer_seek(r, seq[i], NULL, NULL, err);
		hash[i] = hash_moment(r);
	}
	for (unsigned i = n; ret == 0 && i-- > 0;) {
		ret = replayer_seek(r, seq[i], NULL, NULL, err);
		if (ret == 0 && hash_moment(r) != hash[i])
			ret = err_set(err, E_DIVERGED,
				      "e%lu looks different the second time",
				      seq[i]);
	}
	if (o->verbose)
		dprintf(2, "rr-smoke: %u seeks, %zu checkpoints, %lu ms\n",
			2 * n, replayer_checkpoints(r),
			(clock_now_ns() - start) / 1000000);
	mem_free(seq);
	mem_free(hash);
	return ret;
}

static void
print_point(void *ctx, const struct replay_point *p)
{
	double ns = p->recorded_ns > 0 ? (double)p->recorded_ns : 1;

	fprintf(stderr,
		"point e%lu t%u %#lx %s %.3f ms cpu %.3f wall %.3f visits %lu "
		"mismatches %u stops %u copies %u fell %u%s%s\n",
		p->seq, p->task, p->pc, p->found ? "found" : "LOST", ns / 1e6,
		(double)p->cpu_ns / ns, (double)p->wall_ns / ns, p->visits,
		p->mismatches, p->stops, p->copies, p->fell_back,
		p->ran_ahead ? " ahead" : "", p->trap ? " trap" : "");
}

static int
replay(struct smoke *o, struct memlog *m)
{
	const struct replay_opts ro = { .point = o->points ? print_point : NULL,
					.verify_memory = true,
					.verify_output = true,
					.output = o->outputs ? hear : NULL,
					.output_ctx = o };
	struct err err = { 0 };
	const struct divergence *d;
	struct replayer *r;
	int ret, status = 0;

	o->replay_ns = clock_now_ns();
	ret = replayer_open(&r, memlog_source(m), &ro, &err);
	if (ret < 0)
		return check_fail(&err, "opening the replay");
	while ((ret = o->single ? replayer_step(r, &err)
				: replayer_run(r, &err)) > 0)
		if (o->verbose)
			fprintf(stderr, "replayed %llu\n",
				(unsigned long long)replayer_seq(r));
	o->replay_ns = clock_now_ns() - o->replay_ns;
	if (ret == 0 && o->seeks)
		ret = visit(o, r, &err);
	if (ret < 0) {
		d = replayer_divergence(r);
		if (d != NULL)
			fprintf(stderr,
				"rr-smoke: DIVERGED at %llu task %u\n"
				"  expected %s\n  found    %s\n  cause    %s\n",
				(unsigned long long)d->seq, d->task,
				d->expected, d->found, d->cause);
		check_fail(&err, "replaying");
		status = 1;
	}
	replayer_close(r);
	return status;
}

static int
compare_outputs(struct smoke *o)
{
	int ret = 0;

	for (int fd = 1; fd <= 2 && o->outputs; fd++) {
		if (compare_output(o, fd) < 0)
			ret = 1;
		fd_close(&o->out[fd]);
		buf_free(&o->heard[fd]);
	}
	return ret;
}

/* How many times a task was stopped at a point, or a handler ran. */
static void
count(struct source *src, unsigned *points, unsigned *signals)
{
	struct err err = { 0 };
	struct event ev;

	if (src->ops->seek(src, 1, &err) < 0)
		return;
	while (source_next(src, &ev, &err) > 0) {
		*points += ev.kind == EV_sched;
		*signals += ev.kind == EV_signal;
	}
}

static void
report(const struct smoke *o, const struct record_result *res, int ret,
       struct memlog *m)
{
	unsigned points = 0, signals = 0;

	if (o->quiet)
		return;
	count(memlog_source(m), &points, &signals);
	fprintf(stderr,
		"rr-smoke: status %#x, %lu events, %u points, %u signals, "
		"%lu tasks, record %lu ms",
		(unsigned)res->status, res->events, points, signals, res->tasks,
		o->record_ns / 1000000);
	if (!o->record_only)
		fprintf(stderr, ", replay %lu ms: %s", o->replay_ns / 1000000,
			ret == 0 ? "replayed alike" : "FAILED");
	fprintf(stderr, "\n%.*s", (int)res->notes.len,
		(const char *)res->notes.p);
}

static int
run(struct smoke *o, char **argv)
{
	struct record_result res = { 0 };
	struct memlog *m = memlog_new();
	int ret, wrong;

	if (redirect(o) < 0) {
		perror("rr-smoke: cannot redirect outputs");
		return 2;
	}
	o->record_ns = clock_now_ns();
	ret = record(o, argv, m, &res);
	o->record_ns = clock_now_ns() - o->record_ns;
	restore(o);
	if (ret == 0 && o->dump)
		ret = dump(memlog_source(m), stderr);
	if (ret == 0 && !o->record_only)
		ret = replay(o, m);
	wrong = compare_outputs(o);
	if (ret == 0 && !o->record_only)
		ret = wrong;
	report(o, &res, ret, m);
	buf_free(&res.notes);
	memlog_free(m);
	return ret;
}

static int
set_knobs(struct smoke *o, const char *text)
{
	struct err err = { 0 };

	return knobs_parse(text, &o->chaos, &err) < 0 ? check_fail(&err, "-k")
						      : 0;
}

static int
add_places(struct smoke *o, const char *text)
{
	struct err err = { 0 };

	return knobs_places(text, &o->chaos, &err) < 0 ? check_fail(&err, "-l")
						       : 0;
}

static int
options(struct smoke *o, int argc, char **argv)
{
	int c;

	knobs_init(&o->chaos);
	while ((c = getopt(argc, argv, "+aTdeKnopqvA:P:c:k:l:r:s:t:x:")) !=
	       -1) {
		switch (c) {
		case 'A':
			o->agent_from = (unsigned)strtoul(optarg, NULL, 0);
			__attribute__((fallthrough));
		case 'a':
			o->agent = true;
			break;
		case 'T':
			o->agent = false;
			break;
		case 'K':
			o->test.accounts = true;
			break;
		case 'P':
			read_prods(o, optarg);
			break;
		case 'e':
			o->single = true;
			break;
		case 'r':
			o->agent_room = strtoull(optarg, NULL, 0);
			break;
		case 'd':
			o->dump = true;
			break;
		case 'n':
			o->record_only = true;
			break;
		case 'o':
			o->outputs = true;
			break;
		case 'p':
			o->points = true;
			break;
		case 'q':
			o->quiet = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'c':
			o->checksum_every = strtoull(optarg, NULL, 0);
			break;
		case 's':
			o->seeks = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 't':
			o->times = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'x':
			o->chaos.on = true;
			o->chaos.seed = strtoull(optarg, NULL, 0);
			break;
		case 'k':
			if (set_knobs(o, optarg) != 0)
				return 2;
			break;
		case 'l':
			if (add_places(o, optarg) != 0)
				return 2;
			break;
		default:
			return 2;
		}
	}
	if (optind < argc)
		return 0;
	fprintf(stderr,
		"usage: rr-smoke [-aTdenopqv] [-A N] [-P FILE] [-r N] [-c N] "
		"[-s N] [-t N] [-x SEED [-k KNOBS] [-l PLACES]] COMMAND...\n");
	return 2;
}

int
main(int argc, char **argv)
{
	struct smoke o = { .checksum_every = 1000, .times = 1, .agent = true };
	int ret = options(&o, argc, argv) != 0 ? 2 : 0;

	for (unsigned i = 0; i < o.times && ret == 0; i++, o.chaos.seed++)
		ret = run(&o, argv + optind);
	knobs_release(&o.chaos);
	return ret;
}
