#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "tracee/maps.h"

static uint64_t
addr_of(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

Test(tracee_maps, own_mappings_are_sorted_and_found)
{
	struct arena a = { 0 };
	struct maps m;
	const struct vma *v;
	int local = 0;

	cr_assert_eq(maps_read(getpid(), &a, &m, NULL), 0);
	for (size_t i = 1; i < m.len; i++)
		cr_assert_leq(m.v[i - 1].end, m.v[i].start);
	v = maps_find(&m, addr_of(&local));
	cr_assert_not_null(v);
	cr_assert_eq(v->ino, 0u);
	cr_assert_eq(v->prot, (uint32_t)(PROT_READ | PROT_WRITE));
	v = maps_find(&m, addr_of((const void *)(uintptr_t)&addr_of));
	cr_assert_eq(v->prot, (uint32_t)(PROT_READ | PROT_EXEC));
	cr_assert_not_null(strstr(v->name, "test_tracee"));
	cr_assert_null(maps_find(&m, 0));
	cr_assert_null(maps_find(&m, 0x7ffffffff000));
	arena_free(&a);
}

Test(tracee_maps, a_single_lookup_says_the_same_as_the_list)
{
	struct arena a = { 0 };
	struct maps m;
	struct vma q;
	size_t i;

	cr_assert_eq(maps_read(getpid(), &a, &m, NULL), 0);
	for (i = 0; i < m.len; i++) {
		const struct vma *v = &m.v[i];

		if (strcmp(v->name, "[heap]") == 0 || v->ino == 0 ||
		    v->name[0] == '[')
			continue; /* may have grown */
		cr_assert_eq(maps_query(getpid(), v->start, &a, &q, NULL), 0);
		cr_assert_eq(q.start, v->start);
		cr_assert_eq(q.end, v->end);
		cr_assert_eq(q.prot, v->prot);
		cr_assert_eq(q.shared, v->shared);
		cr_assert_eq(q.offset, v->offset);
		cr_assert_eq(q.dev, v->dev);
		cr_assert_eq(q.ino, v->ino);
		cr_assert_str_eq(q.name, v->name);
	}
	cr_assert_eq(maps_query(getpid(), 0, &a, &q, NULL), -ENOENT);
	arena_free(&a);
}

Test(tracee_maps, a_shared_file_with_a_newline_in_its_name)
{
	char dir[] = "/tmp/pt-maps.XXXXXX";
	struct arena a = { 0 };
	struct stat st;
	struct maps m;
	const struct vma *v;
	char *name;
	void *p;
	int fd;

	cr_assert_not_null(mkdtemp(dir));
	name = mem_printf("%s/a b\nc", dir);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(ftruncate(fd, 12288), 0);
	fstat(fd, &st);
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 8192);
	cr_assert_eq(maps_read(getpid(), &a, &m, NULL), 0);
	v = maps_find(&m, addr_of(p));
	cr_assert_not_null(v);
	cr_assert_str_eq(v->name, name);
	cr_assert(v->shared);
	cr_assert_eq(v->offset, 8192u);
	cr_assert_eq(v->ino, st.st_ino);
	unlink(name);
	rmdir(dir);
	close(fd);
	mem_free(name);
	arena_free(&a);
}

/* Wherever the kernel's text ends for now, it ends with such a name. */
Test(tracee_maps, files_named_like_the_last_mapping)
{
	enum { PAGES = 400 };
	char dir[] = "/tmp/pt-maps.XXXXXX";
	struct arena a = { 0 };
	struct maps m;
	char *name, *p;
	int fd;

	cr_assert_not_null(mkdtemp(dir));
	name = mem_printf("%s/[vsyscall]", dir);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(ftruncate(fd, 4096), 0);
	p = mmap(NULL, (size_t)PAGES * 4096, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < PAGES; i++)
		cr_assert_neq(mmap(p + i * 4096, 4096, PROT_READ,
				   MAP_PRIVATE | MAP_FIXED, fd, 0),
			      MAP_FAILED);
	cr_assert_eq(maps_read(getpid(), &a, &m, NULL), 0);
	for (size_t i = 0; i < PAGES; i++)
		cr_assert_not_null(maps_find(&m, addr_of(p + i * 4096)));
	cr_assert_not_null(maps_find(&m, addr_of(dir)));
	unlink(name);
	rmdir(dir);
	close(fd);
	mem_free(name);
	arena_free(&a);
}

Test(tracee_maps, a_process_that_is_gone_is_an_error)
{
	struct arena a = { 0 };
	struct maps m;
	struct err err = { 0 };

	/* Numbers end at 2^22. */
	cr_assert_eq(maps_read(0x7ffffff0, &a, &m, &err), -ENOENT);
	cr_assert_not_null(strstr(err.text, "/maps"));
	arena_free(&a);
}
