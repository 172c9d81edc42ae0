#include "tests/unit/recorder_tape.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
read_back(struct tape *t)
{
	struct source *s = memlog_source(t->log);
	struct err err = { 0 };
	struct event ev;
	int ret;

	while ((ret = source_next(s, &ev, &err)) > 0) {
		ev.payload = arena_span(&t->arena, ev.payload);
		vec_push(&t->events, ev);
		cr_assert_eq(ev.seq, t->events.len);
	}
	cr_assert_eq(ret, 0, "%s", err.text);
}

void
tape_record(struct tape *t, const char *const argv[])
{
	const struct record_opts o = {
		.argv = (char *const *)(uintptr_t)argv,
		.envp = environ,
		.checksum_every = 0,
	};
	int saved = fcntl(1, F_DUPFD_CLOEXEC, 100);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct recorder *r;
	struct err err = { 0 };
	int ret;

	*t = (struct tape){ .log = memlog_new() };
	dup2(null, 1);
	close(null);
	ret = recorder_start(&r, &o, memlog_sink(t->log), &err);
	dup2(saved, 1);
	close(saved);
	cr_assert_eq(ret, 0, "%s", err.text);
	while ((ret = recorder_step(r, &err)) > 0)
		continue;
	cr_assert_eq(ret, 0, "%s", err.text);
	cr_assert_eq(recorder_finish(r, &t->result, &err), 0, "%s", err.text);
	cr_assert_eq(memlog_sink(t->log)->ops->close(memlog_sink(t->log), &err),
		     0);
	read_back(t);
}

void
tape_guest(struct tape *t, const char *name)
{
	const char *dir = getenv("top_builddir");
	char *path =
		mem_printf("%s/tests/guests/%s", dir != NULL ? dir : ".", name);

	tape_record(t, (const char *const[]){ path, NULL });
	mem_free(path);
}

void
tape_free(struct tape *t)
{
	vec_free(&t->events);
	arena_free(&t->arena);
	buf_free(&t->result.notes);
	memlog_free(t->log);
}

const struct event *
tape_next(const struct tape *t, uint64_t seq, enum event_kind kind)
{
	for (size_t i = (size_t)seq; i < t->events.len; i++)
		if (t->events.v[i].kind == kind)
			return &t->events.v[i];
	return NULL;
}

bool
tape_kv(const struct event *ev, const char *key, struct span *out)
{
	struct item_reader ir;
	struct item it;
	const char *k;

	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0)
		if (it.kind == ITEM_KV && item_get_kv(&it, &k, out) == 0 &&
		    strcmp(k, key) == 0)
			return true;
	return false;
}

bool
tape_kv_is(const struct event *ev, const char *key, const char *value)
{
	struct span v;

	return tape_kv(ev, key, &v) && span_eq(v, span_str(value));
}
