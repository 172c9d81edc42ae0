#include <criterion/criterion.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/abi.h"
#include "base/fd.h"
#include "tests/unit/recorder_tape.h"

#define MAPS_MAX 64

struct image {
	struct map_rec maps[MAPS_MAX];
	size_t len;
	struct regs regs;
};

static void
image_of(const struct event *exec, struct image *out)
{
	struct item_reader ir;
	struct item it;

	memset(out, 0, sizeof(*out));
	item_reader_init(&ir, exec->payload);
	while (item_next(&ir, &it, NULL) > 0)
		if (it.kind == ITEM_MAP) {
			cr_assert_lt(out->len, (size_t)MAPS_MAX);
			cr_assert_eq(
				item_get_map(&it, &out->maps[out->len], NULL),
				0);
			out->len++;
		}
	cr_assert(item_find(exec->payload, ITEM_REGS, UINT64_MAX, &it));
	memcpy(&out->regs, it.bytes.p, sizeof(out->regs));
}

static const struct map_rec *
map_at(const struct image *im, uint64_t addr)
{
	for (size_t i = 0; i < im->len; i++)
		if (addr - im->maps[i].start < im->maps[i].len)
			return &im->maps[i];
	return NULL;
}

/* The file event that carries this number and comes before seq. */
static const struct event *
file_event(const struct tape *t, uint64_t number, uint64_t seq)
{
	const struct event *ev = tape_next(t, 0, EV_file);

	while (ev != NULL && ev->args[0] != number)
		ev = tape_next(t, ev->seq, EV_file);
	return ev != NULL && ev->seq < seq ? ev : NULL;
}

static void
file_bytes(const struct tape *t, const struct event *ev, struct file_rec *rec,
	   const char **path, struct buf *out)
{
	const struct blob_id *ids;
	struct item it;
	size_t n;

	cr_assert(item_find(ev->payload, ITEM_FILE, UINT64_MAX, &it));
	cr_assert_eq(item_get_file(&it, rec, path, &ids, &n, NULL), 0);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(
			source_blob(memlog_source(t->log), &ids[i], out, NULL),
			0);
}

static bool
has_auxv(struct span v, uint64_t type)
{
	for (size_t at = 0; at + 16 <= v.len; at += 16) {
		uint64_t have;

		memcpy(&have, v.p + at, sizeof(have));
		if (have == type)
			return true;
	}
	return false;
}

Test(recorder_exec, an_image_has_what_replay_starts_from)
{
	const struct event *exec;
	const struct map_rec *m;
	struct image im;
	struct tape t;
	struct span v;

	tape_record(&t, (const char *const[]){ "/bin/echo", "a b", "", NULL });
	exec = tape_next(&t, 0, EV_exec);
	cr_assert_not_null(exec);
	image_of(exec, &im);
	m = map_at(&im, im.regs.rip);
	cr_assert(m != NULL && (m->prot & PROT_EXEC) != 0 && m->file != 0);
	m = map_at(&im, im.regs.rsp);
	cr_assert(m != NULL && (m->flags & MAP_GROWSDOWN) != 0 && m->file == 0);
	cr_assert_eq(exec->pc, im.regs.rip);
	cr_assert_eq(exec->sp, im.regs.rsp);
	cr_assert(tape_kv(exec, "argv", &v));
	cr_assert(span_eq(v, span_of("/bin/echo\0a b\0", 15)));
	cr_assert(tape_kv_is(exec, "comm", "echo"));
	cr_assert(tape_kv(exec, "env", &v));
	cr_assert_gt(v.len, 0u);
	cr_assert(tape_kv(exec, "interp", &v));
	cr_assert_not_null(memmem(v.p, v.len, "ld-linux", 8));
	tape_free(&t);
}

Test(recorder_exec, neither_the_vdso_nor_the_agent_is_in_it)
{
	const struct event *exec;
	struct image im;
	struct tape t;
	struct span v;

	tape_record(&t, (const char *const[]){ "true", NULL });
	exec = tape_next(&t, 0, EV_exec);
	image_of(exec, &im);
	for (size_t i = 0; i < im.len; i++)
		cr_assert(im.maps[i].file != 0 ||
				  (im.maps[i].prot & PROT_EXEC) == 0,
			  "code from nowhere at %#lx", im.maps[i].start);
	cr_assert_null(map_at(&im, AGENT_BASE));
	cr_assert(tape_kv(exec, "auxv", &v));
	cr_assert(has_auxv(v, AT_RANDOM));
	cr_assert_not(has_auxv(v, AT_SYSINFO_EHDR));
	tape_free(&t);
}

/* From libc's startup to grep: nobody finds the vdso, and the page is there. */
Test(recorder_exec, the_program_sees_no_vdso)
{
	struct tape t;

	tape_record(&t, (const char *const[]){ "grep", "-q", "vdso\\|vvar",
					       "/proc/self/maps", NULL });
	cr_assert_eq(WEXITSTATUS(t.result.status), 1);
	tape_free(&t);
	tape_guest(&t, "vdso_direct");
	cr_assert_eq(t.result.status, 0);
	tape_free(&t);
}

Test(recorder_exec, memory_that_differs_from_the_file_is_there)
{
	const struct event *exec;
	struct item_reader ir;
	struct image im;
	struct tape t;
	struct item it;
	unsigned stack = 0, data = 0;

	tape_record(&t, (const char *const[]){ "true", NULL });
	exec = tape_next(&t, 0, EV_exec);
	image_of(exec, &im);
	item_reader_init(&ir, exec->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		const struct map_rec *m;

		if (it.kind != ITEM_MEM)
			continue;
		m = map_at(&im, it.addr);
		cr_assert_not_null(m);
		cr_assert_leq(it.addr + it.len, m->start + m->len);
		cr_assert_neq(m->prot & PROT_WRITE, 0u);
		stack += im.regs.rsp - it.addr < it.len;
		data += m->file != 0;
	}
	cr_assert_eq(stack, 1u);
	cr_assert_geq(data, 1u); /* the cleared tail of .data */
	tape_free(&t);
}

Test(recorder_exec, its_files_are_there_whole)
{
	const struct event *exec, *file;
	struct buf have = { 0 }, want = { 0 };
	struct file_rec rec;
	struct image im;
	const char *path;
	struct tape t;

	tape_record(&t, (const char *const[]){ "true", NULL });
	exec = tape_next(&t, 0, EV_exec);
	image_of(exec, &im);
	for (size_t i = 0; i < im.len; i++) {
		if (im.maps[i].file == 0)
			continue;
		file = file_event(&t, im.maps[i].file, exec->seq);
		cr_assert_not_null(file);
		buf_clear(&have);
		buf_clear(&want);
		file_bytes(&t, file, &rec, &path, &have);
		cr_assert_eq(rec.whole, 1u);
		cr_assert_eq(fd_read_file(path, &want), 0, "%s", path);
		cr_assert(span_eq(buf_span(&have), buf_span(&want)), "%s",
			  path);
		cr_assert_eq(rec.size, want.len);
	}
	buf_free(&have);
	buf_free(&want);
	tape_free(&t);
}

Test(recorder_exec, a_second_image_names_the_same_files)
{
	const struct event *first, *second;
	struct image a, b;
	struct tape t;

	tape_record(&t, (const char *const[]){ "env", "env", "true", NULL });
	first = tape_next(&t, 0, EV_exec);
	second = tape_next(&t, first->seq, EV_exec);
	cr_assert_not_null(second);
	image_of(first, &a);
	image_of(second, &b);
	cr_assert_eq(a.maps[0].file, b.maps[0].file);
	cr_assert_eq(map_at(&a, a.regs.rip)->file,
		     map_at(&b, b.regs.rip)->file);
	tape_free(&t);
}

Test(recorder_exec, a_static_image_has_no_interpreter)
{
	const struct event *exec;
	struct tape t;

	tape_guest(&t, "true_static");
	cr_assert_eq(t.result.status, 0);
	exec = tape_next(&t, 0, EV_exec);
	cr_assert(tape_kv_is(exec, "interp", ""));
	tape_free(&t);
}

Test(recorder_exec, the_header_says_where_it_ran)
{
	static const char *const keys[] = { "argv",  "env",	"cwd",
					    "exe",   "uname",	"cpu",
					    "cpuid", "xcr0",	"cpus",
					    "umask", "rlimits", "uid",
					    "gid",   "version", "host" };
	const struct event *header;
	char cwd[4096];
	struct tape t;
	struct span v;

	tape_record(&t, (const char *const[]){ "true", NULL });
	header = tape_next(&t, 0, EV_header);
	cr_assert_eq(header->seq, 1u);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		cr_assert(tape_kv(header, keys[i], &v) && v.len > 0, "%s",
			  keys[i]);
	cr_assert(tape_kv(header, "rlimits", &v));
	cr_assert_eq(v.len, 16u * 16u);
	cr_assert(tape_kv_is(header, "cwd", getcwd(cwd, sizeof(cwd))));
	tape_free(&t);
}

/* A 32-bit image in the tree must not end the recording: it is refused. */
Test(recorder_exec, a_32_bit_image_is_refused_and_the_rest_goes_on)
{
	Elf32_Ehdr eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32,
				       ELFDATA2LSB, EV_CURRENT },
			  .e_type = ET_EXEC,
			  .e_machine = EM_386 };
	char file[] = "/tmp/pt-exec.XXXXXX";
	int fd = mkostemp(file, 04000000 /* O_CLOEXEC */);
	char *script;
	struct tape t;

	cr_assert_geq(fd, 0);
	cr_assert_eq(fd_write_all(fd, &eh, sizeof(eh)), 0);
	cr_assert_eq(fd_write_all(fd, (const char[64]){ 0 }, 64), 0);
	fchmod(fd, 0755);
	fd_close(&fd);
	script = mem_printf("bash -c 'exec %s' 2>/dev/null; test $? = 126",
			    file);
	tape_record(&t, (const char *const[]){ "sh", "-c", script, NULL });
	cr_assert_eq(t.result.status, 0);
	cr_assert_not_null(
		strstr(buf_cstr(&t.result.notes), "is a 32-bit program"));
	unlink(file);
	mem_free(script);
	tape_free(&t);
}
