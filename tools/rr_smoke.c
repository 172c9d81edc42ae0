/*
 * rr-smoke [-dnqv] [-c N] COMMAND...: record a command into memory and
 * replay it at once with everything checked. The developers' short way round
 * the store.
 *
 *   -d   print the events      -n   record only
 *   -q   no summary            -v   print events while replaying
 *   -c N a checksum every N events (default 1000)
 *
 * Status: 0 replayed alike, 1 diverged, 2 error; the command's status is printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "event/format.h"
#include "event/memlog.h"
#include "recorder/recorder.h"
#include "replayer/replayer.h"
#include "tracee/spawn.h"

struct smoke {
	bool dump, record_only, quiet, verbose;
	uint64_t checksum_every;
};

static int
fail(const struct err *err, const char *what)
{
	fprintf(stderr, "rr-smoke: %s: %s: %s\n", what, err_name(err->code),
		err->text);
	return 2;
}

static void
print_event(FILE *out, const struct event *ev)
{
	struct buf line = { 0 };

	event_format(ev, NULL, &line);
	fprintf(out, "%6llu t%u %-8s %s%s%s%s\n", (unsigned long long)ev->seq,
		ev->task, event_kind_name(ev->kind),
		ev->flags & EVF_RUNS ? "* " : "  ", buf_cstr(&line),
		ev->flags & EVF_RESTART ? " RESTART" : "",
		ev->flags & EVF_UNTIMED ? " UNTIMED" : "");
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
	return ret < 0 ? fail(&err, "reading events") : 0;
}

static int
record(const struct smoke *o, char **argv, struct memlog *m,
       struct record_result *res)
{
	const struct record_opts ro = {
		.argv = argv,
		.envp = environ,
		.checksum_every = o->checksum_every,
		.keep_privs = geteuid() == 0,
	};
	struct sink *sink = memlog_sink(m);
	struct err err = { 0 };
	struct recorder *r;
	int ret = recorder_start(&r, &ro, sink, &err);

	if (ret < 0)
		return fail(&err, "starting");
	while ((ret = recorder_step(r, &err)) > 0)
		continue;
	if (ret < 0) {
		recorder_kill(r);
		return fail(&err, "recording");
	}
	if (recorder_finish(r, res, &err) < 0 ||
	    sink->ops->close(sink, &err) < 0)
		return fail(&err, "finishing");
	return 0;
}

static int
replay(const struct smoke *o, struct memlog *m)
{
	const struct replay_opts ro = { .verify_memory = true,
					.verify_output = true };
	struct err err = { 0 };
	const struct divergence *d;
	struct replayer *r;
	int ret, status = 0;

	ret = replayer_open(&r, memlog_source(m), &ro, &err);
	if (ret < 0)
		return fail(&err, "opening the replay");
	while ((ret = replayer_step(r, &err)) > 0)
		if (o->verbose)
			fprintf(stderr, "replayed %llu\n",
				(unsigned long long)replayer_seq(r));
	if (ret < 0) {
		d = replayer_divergence(r);
		if (d != NULL)
			fprintf(stderr,
				"rr-smoke: DIVERGED at %llu task %u\n"
				"  expected %s\n  found    %s\n  cause    %s\n",
				(unsigned long long)d->seq, d->task,
				d->expected, d->found, d->cause);
		fail(&err, "replaying");
		status = 1;
	}
	replayer_close(r);
	return status;
}

static int
run(const struct smoke *o, char **argv)
{
	struct record_result res = { 0 };
	struct memlog *m = memlog_new();
	int ret = record(o, argv, m, &res);

	if (ret == 0 && o->dump)
		ret = dump(memlog_source(m), stderr);
	if (ret == 0 && !o->quiet)
		fprintf(stderr,
			"rr-smoke: status %#x, %llu events, %llu tasks\n%.*s",
			(unsigned)res.status, (unsigned long long)res.events,
			(unsigned long long)res.tasks, (int)res.notes.len,
			(const char *)res.notes.p);
	if (ret == 0 && !o->record_only)
		ret = replay(o, m);
	if (!o->quiet && !o->record_only)
		fprintf(stderr, "rr-smoke: %s\n",
			ret == 0 ? "replayed alike" : "FAILED");
	buf_free(&res.notes);
	memlog_free(m);
	return ret;
}

int
main(int argc, char **argv)
{
	struct smoke o = { .checksum_every = 1000 };
	int c;

	while ((c = getopt(argc, argv, "+dnqvc:")) != -1) {
		switch (c) {
		case 'd':
			o.dump = true;
			break;
		case 'n':
			o.record_only = true;
			break;
		case 'q':
			o.quiet = true;
			break;
		case 'v':
			o.verbose = true;
			break;
		case 'c':
			o.checksum_every = strtoull(optarg, NULL, 0);
			break;
		default:
			return 2;
		}
	}
	if (optind == argc) {
		fprintf(stderr, "usage: rr-smoke [-dnqv] [-c N] COMMAND...\n");
		return 2;
	}
	return run(&o, argv + optind);
}
