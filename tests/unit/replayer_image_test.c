#include "tests/unit/replayer_script.h"

#include "base/fd.h"
#include "base/mem.h"
#include "event/sink.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAP_AT 0x10000000ul

/* A file event: size bytes of letters, one letter for each page. */
static void
put_file(struct script *s, uint64_t number, const char *path, uint64_t size)
{
	struct event ev = script_event(EV_file, 0);
	struct file_rec f = { .number = number, .size = size, .whole = 1 };
	uint8_t *bytes = mem_alloc(size);
	struct buf ids = { 0 };
	struct err err = { 0 };

	for (uint64_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)('a' + i / 4096 % 26);
	cr_assert_eq(sink_blobs(memlog_sink(s->log), span_of(bytes, size), &ids,
				&err),
		     0);
	item_put_file(&s->items, &f, path, (const struct blob_id *)ids.p,
		      ids.len / sizeof(struct blob_id));
	ev.args[0] = number;
	script_put(s, &ev);
	buf_free(&ids);
	mem_free(bytes);
}

static void
put_mmap(struct script *s, const struct listed_call *call, struct map_rec m)
{
	item_put_map(&s->items, &m);
	script_listed(s, EV_syscall, call, (int64_t)m.start);
}

static uint8_t
peek(struct replayer *r, uint64_t addr)
{
	struct target *t = replayer_target(r);
	uint8_t b = 0;

	return t->ops->read(t, 1, addr, &b, 1) == 1 ? b : 0;
}

static void
to_end(struct script *s, struct replayer **r)
{
	struct err err = { 0 };

	script_end(s);
	*r = script_replay(s, NULL);
	cr_assert_eq(script_run(*r, &err), 0, "%s", err.text);
}

Test(replayer_image, mapped_files_have_the_recorded_contents_and_size)
{
	struct listed_call call = { SYS_mmap, { 0 } };
	const struct target_map *map = NULL;
	struct target_map *maps;
	struct target_file file;
	struct buf copy = { 0 };
	struct arena a = { 0 };
	struct err err = { 0 };
	struct replayer *r;
	struct target *t;
	struct script s;
	size_t n;

	script_init(&s);
	script_begin_list(&s, &call, 1);
	put_file(&s, 5, "/usr/lib/libtest.so", 300000);
	put_mmap(&s, &call,
		 (struct map_rec){ .start = MAP_AT,
				   .len = 0x60000,
				   .prot = PROT_READ,
				   .flags = MAP_PRIVATE,
				   .file = 5,
				   .offset = 4096 });
	to_end(&s, &r);
	t = replayer_target(r);
	cr_assert_eq(peek(r, MAP_AT), 'b');
	cr_assert_eq(peek(r, MAP_AT + 2 * 4096), 'd');
	cr_assert_eq(peek(r, MAP_AT + 300000 - 4096 - 1),
		     'a' + 299999 / 4096 % 26);
	cr_assert_eq(peek(r, MAP_AT + 0x5f000), 0); /* beyond the file's end */
	cr_assert_eq(t->ops->maps(t, 1, &a, &maps, &n, &err), 0, "%s",
		     err.text);
	for (size_t i = 0; i < n; i++) {
		if (maps[i].start == MAP_AT)
			map = &maps[i];
	}
	cr_assert_not_null(map);
	cr_assert_str_eq(map->name, "/usr/lib/libtest.so");
	cr_assert_eq(map->file, 5);
	cr_assert_eq(map->offset, 4096);
	cr_assert_eq(t->ops->file(t, 5, &file, &err), 0, "%s", err.text);
	cr_assert_str_eq(file.recorded_path, "/usr/lib/libtest.so");
	/* Nothing on disk that a killed replay would leave there. */
	cr_assert_eq(strncmp(file.local_path, "/proc/", 6), 0);
	cr_assert_eq(fd_read_file(file.local_path, &copy), 0);
	cr_assert_eq(copy.len, 300000);
	cr_assert_eq(copy.p[4096], 'b');
	cr_assert_eq(t->ops->file(t, 6, &file, &err), -E_FORMAT);
	arena_free(&a);
	buf_free(&copy);
	replayer_close(r);
	script_free(&s);
}

Test(replayer_image, mapping_calls_are_made_again)
{
	const uint64_t at = MAP_AT, page = 4096;
	struct listed_call c[] = {
		{ SYS_mmap, { 0 } },
		{ SYS_mprotect, { at, 2 * page, PROT_READ } },
		{ SYS_munmap, { at + page, page } },
		{ SYS_mremap, { at, page, 3 * page, MREMAP_MAYMOVE } },
		{ SYS_madvise, { at + 16 * page, page, MADV_DONTNEED } },
		{ SYS_munmap, { 1, 1 } },
		{ SYS_mprotect, { at + 16 * page, 9 * page, PROT_READ } },
	};
	struct event ev = script_event(EV_memory, 1);
	struct target_map *maps;
	struct arena a = { 0 };
	struct err err = { 0 };
	bool found = false;
	struct replayer *r;
	struct script s;
	size_t n;

	script_init(&s);
	script_begin_list(&s, c, ARRAY_LEN(c));
	put_file(&s, 1, "file", 8 * page);
	put_mmap(&s, &c[0],
		 (struct map_rec){ .start = at,
				   .len = 8 * page,
				   .prot = PROT_READ | PROT_WRITE,
				   .flags = MAP_PRIVATE,
				   .file = 1 });
	item_put_mem(&s.items, at, span_str("changed"));
	script_put(&s, &ev);
	script_listed(&s, EV_syscall, &c[1], 0);
	script_listed(&s, EV_syscall, &c[2], 0);
	script_listed(&s, EV_syscall, &c[3], (int64_t)(at + 16 * page));
	script_listed(&s, EV_syscall, &c[4], 0);
	script_listed(&s, EV_syscall, &c[5], -EINVAL);
	script_listed(&s, EV_syscall, &c[6], -ENOMEM);
	to_end(&s, &r);
	/* Moved, grown with what the file has, and back to the file's bytes. */
	cr_assert_eq(peek(r, at), 0);
	cr_assert_eq(peek(r, at + 16 * page), 'a');
	cr_assert_eq(peek(r, at + 17 * page), 'b');
	cr_assert_eq(peek(r, at + 2 * page), 'c');
	cr_assert_eq(replayer_target(r)->ops->maps(replayer_target(r), 1, &a,
						   &maps, &n, &err),
		     0);
	for (size_t i = 0; i < n; i++)
		found |= maps[i].start == at + 16 * page &&
			 maps[i].prot == PROT_READ;
	cr_assert(found, "the part before the hole was protected");
	arena_free(&a);
	replayer_close(r);
	script_free(&s);
}

Test(replayer_image, another_result_of_a_mapping_call_is_a_divergence)
{
	struct listed_call c = { SYS_munmap, { MAP_AT + 1, 4096 } };
	struct err err = { 0 };
	struct replayer *r;
	struct script s;

	script_init(&s);
	script_begin_list(&s, &c, 1);
	script_listed(&s, EV_syscall, &c, 0);
	script_end(&s);
	r = script_replay(&s, NULL);
	cr_assert_eq(script_run(r, &err), -E_DIVERGED, "%s", err.text);
	replayer_close(r);
	script_free(&s);
}

Test(replayer_image,
     shared_memory_that_is_read_only_can_be_written_from_the_log)
{
	struct listed_call call = { SYS_mmap, { 0 } };
	struct event ev = script_event(EV_memory, 1);
	struct replayer *r;
	struct script s;

	script_init(&s);
	script_begin_list(&s, &call, 1);
	put_file(&s, 3, "/dev/shm/x", 5000);
	put_mmap(&s, &call,
		 (struct map_rec){ .start = MAP_AT,
				   .len = 8192,
				   .prot = PROT_READ,
				   .flags = MAP_SHARED,
				   .file = 3,
				   .shared_id = 9 });
	item_put_mem(&s.items, MAP_AT + 4094, span_str("zz"));
	script_put(&s, &ev);
	to_end(&s, &r);
	cr_assert_eq(peek(r, MAP_AT), 'a');
	cr_assert_eq(peek(r, MAP_AT + 4094), 'z');
	cr_assert_eq(peek(r, MAP_AT + 4096), 'b');
	replayer_close(r);
	script_free(&s);
}

Test(replayer_image, shared_memory_shrinks_and_grows_as_recorded)
{
	struct listed_call c[] = { { SYS_mmap, { 0 } },
				   { SYS_ftruncate, { 4, 4096 } },
				   { SYS_ftruncate, { 4, 8192 } } };
	struct map_rec size = { .shared_id = 9, .offset = 4096 };
	struct err err = { 0 };
	struct replayer *r;
	struct script s;

	script_init(&s);
	script_begin_list(&s, c, ARRAY_LEN(c));
	put_file(&s, 3, "/dev/shm/x", 8192);
	put_mmap(&s, &c[0],
		 (struct map_rec){ .start = MAP_AT,
				   .len = 8192,
				   .prot = PROT_READ,
				   .flags = MAP_SHARED,
				   .file = 3,
				   .shared_id = 9 });
	item_put_map(&s.items, &size);
	script_listed(&s, EV_syscall, &c[1], 0);
	size.offset = 8192;
	item_put_map(&s.items, &size);
	item_put_mem_task(&s.items, 1, MAP_AT + 8000, span_str("new"));
	script_listed(&s, EV_syscall, &c[2], 0);
	script_end(&s);
	r = script_replay(&s, NULL);
	cr_assert_eq(replayer_seek(r, s.seq - 3, NULL, NULL, &err), 0, "%s",
		     err.text);
	cr_assert_eq(peek(r, MAP_AT + 4096), 'b');
	cr_assert_eq(replayer_step(r, &err), 1, "%s", err.text);
	cr_assert_eq(peek(r, MAP_AT + 4096), 0, "it ends before");
	cr_assert_eq(script_run(r, &err), 0, "%s", err.text);
	cr_assert_eq(peek(r, MAP_AT), 'a');
	cr_assert_eq(peek(r, MAP_AT + 4096), 0);
	cr_assert_eq(peek(r, MAP_AT + 8000), 'n');
	replayer_close(r);
	script_free(&s);
}

Test(replayer_image, memory_that_is_not_there_is_a_divergence)
{
	struct event ev = script_event(EV_memory, 1);
	struct listed_call call = { SYS_getpid, { 0 } };
	struct err err = { 0 };
	struct replayer *r;
	struct script s;

	script_init(&s);
	script_begin_list(&s, &call, 1);
	item_put_mem(&s.items, MAP_AT, span_str("nowhere"));
	script_put(&s, &ev);
	script_end(&s);
	r = script_replay(&s, NULL);
	cr_assert_eq(script_run(r, &err), -E_DIVERGED, "%s", err.text);
	cr_assert_not_null(strstr(err.text, "0x10000000"), "%s", err.text);
	replayer_close(r);
	script_free(&s);
}

Test(replayer_image, reading_below_a_stack_does_not_make_it_grow)
{
	struct listed_call call = { SYS_getpid, { 0 } };
	struct target_map *maps;
	struct arena a = { 0 };
	struct err err = { 0 };
	struct replayer *r;
	struct target *t;
	struct script s;
	size_t n;

	script_init(&s);
	script_begin_list(&s, &call, 1);
	to_end(&s, &r);
	cr_assert_eq(peek(r, STACK_TOP - STACK_LEN - 8), 0);
	t = replayer_target(r);
	cr_assert_eq(t->ops->maps(t, 1, &a, &maps, &n, &err), 0);
	for (size_t i = 0; i < n; i++) {
		if (maps[i].end == STACK_TOP)
			cr_assert_eq(maps[i].start, STACK_TOP - STACK_LEN);
		if (maps[i].end == STACK_TOP)
			cr_assert_str_eq(maps[i].name, "[stack]");
	}
	arena_free(&a);
	replayer_close(r);
	script_free(&s);
}

Test(replayer_image, nothing_of_ours_is_in_a_new_space)
{
	struct listed_call call = { SYS_getpid, { 0 } };
	struct target_map *maps;
	struct arena a = { 0 };
	struct err err = { 0 };
	struct replayer *r;
	struct target *t;
	struct script s;
	size_t n;

	script_init(&s);
	script_begin_list(&s, &call, 1);
	to_end(&s, &r);
	t = replayer_target(r);
	cr_assert_eq(t->ops->maps(t, 1, &a, &maps, &n, &err), 0);
	for (size_t i = 0; i < n; i++) {
		bool known = maps[i].start == CODE_BASE ||
			     maps[i].start == DATA_BASE ||
			     maps[i].start == LIST_BASE ||
			     maps[i].end == STACK_TOP ||
			     strcmp(maps[i].name, "[pastime]") == 0 ||
			     strcmp(maps[i].name, "[vsyscall]") == 0;

		cr_assert(known, "%lx-%lx %s", maps[i].start, maps[i].end,
			  maps[i].name);
	}
	arena_free(&a);
	replayer_close(r);
	script_free(&s);
}
