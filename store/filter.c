#include "store/filter.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "event/codec.h"
#include "event/facts.h"
#include "event/sys.h"
#include "store/db.h"

static const struct {
	const char *name;
	enum filter_key key;
} keys[] = {
	{ "task", FILTER_TASK },   { "pid", FILTER_PID },
	{ "call", FILTER_CALL },   { "kind", FILTER_KIND },
	{ "fd", FILTER_FD },	   { "path", FILTER_PATH },
	{ "error", FILTER_ERROR }, { "group", FILTER_GROUP },
	{ "text", FILTER_TEXT },
};

static bool
find_key(const char *word, size_t len, enum filter_key *out)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strlen(keys[i].name) == len &&
		    strncmp(keys[i].name, word, len) == 0) {
			*out = keys[i].key;
			return true;
		}
	}
	return false;
}

static int
errno_by_name(const char *name)
{
	for (int i = 1; i < 200; i++) {
		const char *known = strerrorname_np(i);

		if (known && strcasecmp(known, name) == 0)
			return i;
	}
	return 0;
}

/* All calls of a category; 0 = there is no such category. */
static size_t
add_category(struct filter_word *w, const char *name)
{
	size_t n = 0;

	for (int nr = 0; nr < SYS_MAX; nr++) {
		const struct sys_desc *d = sys_desc(nr);

		if (d->name && d->group && strcmp(d->group, name) == 0) {
			vec_push(&w->values, nr);
			n++;
		}
	}
	return n;
}

static int
add_number(struct filter_word *w, const char *value, const char *what,
	   struct err *err)
{
	char *end;
	long long v = strtoll(value, &end, 0);

	if (end == value || *end)
		return err_set(err, E_USAGE, "filter: %s is a number, not '%s'",
			       what, value);
	vec_push(&w->values, v);
	return 0;
}

static int
add_call(struct filter_word *w, const char *value, struct err *err)
{
	int nr = sys_by_name(value);

	if (nr >= 0) {
		vec_push(&w->values, nr);
		return 0;
	}
	if (isdigit((unsigned char)value[0]))
		return add_number(w, value, "call", err);
	if (add_category(w, value))
		return 0;
	err_set(err, E_USAGE, "filter: there is no system call '%s'", value);
	err_hint(err, "or a category: file, net, process, signal, memory, "
		      "time, ipc, sched, system");
	return -E_USAGE;
}

static int
add_value(struct filter_word *w, const char *value, struct err *err)
{
	unsigned kind;
	int code;

	switch (w->key) {
	case FILTER_TASK:
		return add_number(w, value, "task", err);
	case FILTER_PID:
		return add_number(w, value, "pid", err);
	case FILTER_FD:
		return add_number(w, value, "fd", err);
	case FILTER_CALL:
		return add_call(w, value, err);
	case FILTER_GROUP:
		if (add_category(w, value))
			return 0;
		return err_set(err, E_USAGE,
			       "filter: there is no category '%s'; there are "
			       "file, net, process, signal, memory, time, ipc, "
			       "sched, system",
			       value);
	case FILTER_KIND:
		kind = event_kind_by_name(value);
		if (kind == 0)
			return err_set(err, E_USAGE,
				       "filter: there is no kind of event "
				       "'%s'",
				       value);
		vec_push(&w->values, kind);
		return 0;
	case FILTER_ERROR:
		if (strcmp(value, "any") == 0 || strcmp(value, "*") == 0) {
			w->any = true;
			return 0;
		}
		if (isdigit((unsigned char)value[0]))
			return add_number(w, value, "error", err);
		code = errno_by_name(value);
		if (code == 0)
			return err_set(err, E_USAGE,
				       "filter: there is no error '%s'", value);
		vec_push(&w->values, code);
		return 0;
	case FILTER_PATH:
	case FILTER_TEXT:
		break; /* whole words, not lists */
	}
	return 0;
}

static void
free_word(struct filter_word *w)
{
	vec_free(&w->values);
	mem_free(w->text);
}

/* "key:value", "!key:a,b"; anything else is text. */
static int
parse_word(struct event_filter *f, const char *word, struct err *err)
{
	struct filter_word w = { .key = FILTER_TEXT };
	const char *colon = strchr(word, ':');
	int rc = 0;

	if (word[0] == '!' && word[1]) {
		w.negated = true;
		word++;
	}
	if (colon && find_key(word, (size_t)(colon - word), &w.key))
		word = colon + 1;
	else if (colon && word[0] != '/' && colon > word &&
		 strspn(word, "abcdefghijklmnopqrstuvwxyz") ==
			 (size_t)(colon - word)) {
		err_set(err, E_USAGE, "filter: there is no key '%.*s'",
			(int)(colon - word), word);
		err_hint(err, "keys: task, pid, call, kind, fd, path, error, "
			      "group, text");
		return -E_USAGE;
	}
	if (w.key == FILTER_PATH || w.key == FILTER_TEXT) {
		w.text = mem_strdup(word);
	} else {
		char *copy = mem_strdup(word), *save = NULL, *value;

		for (value = strtok_r(copy, ",", &save); value && rc == 0;
		     value = strtok_r(NULL, ",", &save))
			rc = add_value(&w, value, err);
		mem_free(copy);
		if (rc == 0 && w.values.len == 0 && !w.any)
			rc = err_set(err, E_USAGE,
				     "filter: nothing after "
				     "the ':'");
	}
	if (rc < 0) {
		free_word(&w);
		return rc;
	}
	f->has_pid |= w.key == FILTER_PID;
	vec_push(&f->words, w);
	return 0;
}

/* Columns compared, called or asked for null: a condition in SQL. */
static bool
is_sql(const char *text)
{
	return strpbrk(text, "=<>()") || strcasestr(text, " like ") ||
	       strcasestr(text, " is null") || strcasestr(text, " is not ") ||
	       strcasestr(text, " in (") || strcasestr(text, " between ");
}

int
event_filter_parse(const char *text, struct event_filter **out, struct err *err)
{
	struct event_filter *f = mem_zalloc(sizeof(*f));
	char *copy = mem_strdup(text), *save = NULL, *word;
	int rc = 0;

	if (is_sql(text)) {
		f->sql = mem_strdup(text);
	} else {
		for (word = strtok_r(copy, " \t\n", &save); word && rc == 0;
		     word = strtok_r(NULL, " \t\n", &save))
			rc = parse_word(f, word, err);
	}
	mem_free(copy);
	if (rc < 0) {
		event_filter_free(f);
		return rc;
	}
	*out = f;
	return 0;
}

void
event_filter_free(struct event_filter *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->words.len; i++)
		free_word(&f->words.v[i]);
	vec_free(&f->words);
	vec_free(&f->pid_tasks);
	mem_free(f->sql);
	mem_free(f);
}

static bool
among(const int64_t *v, size_t n, int64_t x)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i] == x)
			return true;
	}
	return false;
}

static bool
one_path_matches(struct span path, const char *pattern)
{
	char *text;
	bool hit;

	if (path.len == 0)
		return false;
	if (!strpbrk(pattern, "*?["))
		return memmem(path.p, path.len, pattern, strlen(pattern)) !=
		       NULL;
	text = mem_printf("%.*s", (int)path.len, (const char *)path.p);
	hit = fnmatch(pattern, text, 0) == 0;
	mem_free(text);
	return hit;
}

/* The longest piece of a pattern that stands for itself. */
static struct span
literal_of(const char *pattern)
{
	struct span best = { NULL, 0 };

	/* What a bracket stands for is several things. */
	while (*pattern && *pattern != '[') {
		size_t n = strcspn(pattern, "*?[\\");

		if (n > best.len)
			best = span_of(pattern, n);
		pattern += n;
		if (*pattern == '\\' && pattern[1])
			pattern++;
		if (*pattern && *pattern != '[')
			pattern++;
	}
	return best;
}

static bool
path_matches(const struct event *ev, const char *pattern)
{
	struct span literal = literal_of(pattern);
	struct arena a = { 0 };
	struct facts facts;
	bool hit;

	/* Most have it nowhere: no need to take them apart. */
	if (literal.len &&
	    !memmem(ev->payload.p, ev->payload.len, literal.p, literal.len))
		return false;
	facts_of(ev, NULL, &a, &facts);
	hit = one_path_matches(facts.path, pattern) ||
	      one_path_matches(facts.path2, pattern);
	arena_free(&a);
	return hit;
}

static bool
text_matches(const struct event *ev, const char *text)
{
	if (ev->call >= 0 && strstr(sys_name(ev->call), text))
		return true;
	if (strstr(event_kind_name(ev->kind), text))
		return true;
	return memmem(ev->payload.p, ev->payload.len, text, strlen(text)) !=
	       NULL;
}

static bool
word_matches(const struct event_filter *f, const struct filter_word *w,
	     const struct event *ev)
{
	struct facts facts;

	switch (w->key) {
	case FILTER_TASK:
		return among(w->values.v, w->values.len, ev->task);
	case FILTER_PID:
		return among(f->pid_tasks.v, f->pid_tasks.len, ev->task);
	case FILTER_CALL:
	case FILTER_GROUP:
		return ev->call >= 0 &&
		       among(w->values.v, w->values.len, ev->call);
	case FILTER_KIND:
		return among(w->values.v, w->values.len, ev->kind);
	case FILTER_FD:
		facts_quick(ev, &facts);
		return facts.fd >= 0 &&
		       among(w->values.v, w->values.len, facts.fd);
	case FILTER_ERROR:
		if (!(ev->flags & EVF_ERROR))
			return false;
		return w->any || among(w->values.v, w->values.len, -ev->ret);
	case FILTER_PATH:
		return ev->payload.len && path_matches(ev, w->text);
	case FILTER_TEXT:
		return text_matches(ev, w->text);
	}
	return false;
}

bool
event_filter_match(const struct event_filter *f, const struct event *ev)
{
	for (size_t i = 0; f && i < f->words.len; i++) {
		const struct filter_word *w = &f->words.v[i];

		if (word_matches(f, w, ev) == w->negated)
			return false;
	}
	return true;
}

bool
filter_restricts(const struct event_filter *f, enum filter_key key,
		 struct buf *out)
{
	for (size_t i = 0; f && i < f->words.len; i++) {
		const struct filter_word *w = &f->words.v[i];

		if (w->negated)
			continue;
		if (w->key == key ||
		    (key == FILTER_CALL && w->key == FILTER_GROUP)) {
			buf_put(out, w->values.v,
				w->values.len * sizeof(*w->values.v));
			return true;
		}
		if (key == FILTER_TASK && w->key == FILTER_PID) {
			buf_put(out, f->pid_tasks.v,
				f->pid_tasks.len * sizeof(*f->pid_tasks.v));
			return true;
		}
	}
	return false;
}

bool
filter_wants_errors(const struct event_filter *f)
{
	for (size_t i = 0; f && i < f->words.len; i++) {
		if (f->words.v[i].key == FILTER_ERROR && !f->words.v[i].negated)
			return true;
	}
	return false;
}

int
filter_resolve(struct event_filter *f, struct db *db, uint64_t rec,
	       struct err *err)
{
	struct arena a = { 0 };
	struct buf pids = { 0 };
	struct db_rows r;
	int rc;

	if (!f || !f->has_pid || (f->pid_resolved && f->pid_rec == rec))
		return 0;
	for (size_t i = 0; i < f->words.len; i++) {
		const struct filter_word *w = &f->words.v[i];

		if (w->key == FILTER_PID)
			buf_put(&pids, w->values.v,
				w->values.len * sizeof(*w->values.v));
	}
	rc = db_query(db,
		      "select t.task from pastime.task t "
		      "join pastime.process p on p.recording = t.recording "
		      "and p.process = t.process where t.recording = $1 "
		      "and p.pid = any ($2)",
		      DB_ARGS(DB_INT(rec),
			      DB_INT8S(pids.p, pids.len / sizeof(int64_t))),
		      &a, &r, err);
	vec_clear(&f->pid_tasks);
	for (size_t i = 0; rc == 0 && i < r.n; i++)
		vec_push(&f->pid_tasks, db_get_int(&r, i, 0));
	f->pid_resolved = rc == 0;
	f->pid_rec = rec;
	buf_free(&pids);
	arena_free(&a);
	return rc;
}

/* ---- whole chunks, by some columns */

/* Is the name of some call or kind of event one that text fits? */
static bool
names_fit(const char *text)
{
	for (int nr = 0; nr < SYS_MAX; nr++) {
		if (strstr(sys_name(nr), text))
			return true;
	}
	/* Calls without a name are called "syscall_" and their number. */
	if (text[strspn(text, "syscall_0123456789")] == '\0')
		return true;
	for (unsigned k = 0; k < EV_KIND_END; k++) {
		if (strstr(event_kind_name(k), text))
			return true;
	}
	return false;
}

/* Columns that tell whether the word fits an event; 0: more are needed. */
static uint32_t
word_columns(const struct filter_word *w)
{
	switch (w->key) {
	case FILTER_TASK:
	case FILTER_PID:
		return EVENT_COL_TASK;
	case FILTER_CALL:
	case FILTER_GROUP:
		return EVENT_COL_CALL;
	case FILTER_KIND:
		return EVENT_COL_KIND;
	case FILTER_ERROR:
		return EVENT_COL_FLAGS | EVENT_COL_RET;
	case FILTER_FD:
	case FILTER_PATH:
	case FILTER_TEXT:
		break;
	}
	return 0;
}

/* Bytes that a payload must have for the word to fit; empty = unknown. */
static struct span
word_literal(const struct filter_word *w)
{
	if (w->negated)
		return (struct span){ 0 };
	if (w->key == FILTER_PATH)
		return literal_of(w->text);
	if (w->key == FILTER_TEXT && !names_fit(w->text))
		return span_str(w->text);
	return (struct span){ 0 };
}

uint32_t
filter_columns(const struct event_filter *f)
{
	uint32_t cols = 0;

	for (size_t i = 0; f && i < f->words.len; i++) {
		const struct filter_word *w = &f->words.v[i];

		cols |= word_columns(w);
		if (word_literal(w).len)
			cols |= EVENT_COL_PAYLOAD;
	}
	return cols;
}

static bool
simple_words_match(const struct event_filter *f, const struct event *ev)
{
	for (size_t i = 0; i < f->words.len; i++) {
		const struct filter_word *w = &f->words.v[i];

		if (word_columns(w) && word_matches(f, w, ev) == w->negated)
			return false;
	}
	return true;
}

bool
filter_might(const struct event_filter *f, const struct event *ev, size_t n)
{
	const struct span *last = n ? &ev[n - 1].payload : NULL;
	bool simple = false;

	for (size_t i = 0; n && i < f->words.len; i++) {
		struct span want = word_literal(&f->words.v[i]);
		const uint8_t *from = ev->payload.p;

		simple |= word_columns(&f->words.v[i]) != 0;
		if (want.len &&
		    !memmem(from, (size_t)(last->p - from) + last->len, want.p,
			    want.len))
			return false;
	}
	for (size_t i = 0; simple && i < n; i++) {
		if (simple_words_match(f, &ev[i]))
			return true;
	}
	return !simple && n > 0;
}
