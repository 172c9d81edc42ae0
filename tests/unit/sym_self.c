#include "tests/unit/sym_self.h"

#include "base/vec.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

static int64_t
read_self(void *ctx, uint64_t addr, void *out, size_t n)
{
	struct iovec to = { out, n };
	struct iovec from = { (void *)(uintptr_t)addr, n };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0);
}

void
symbols_map_self(struct symbols *s, struct arena *a)
{
	VEC(struct sym_map) maps = { 0 };
	FILE *f = fopen("/proc/self/maps", "r");
	char line[4200];

	while (f && fgets(line, sizeof(line), f)) {
		struct sym_map m = { 0 };
		char prot[5], path[4096] = "";

		sscanf(line, "%lx-%lx %4s %lx %*s %*s %4095s", &m.start, &m.end,
		       prot, &m.offset, path);
		m.path = m.shown = *path ? arena_strdup(a, path) : NULL;
		vec_push(&maps, m);
	}
	fclose(f);
	cr_assert_eq(symbols_set_maps(s, maps.v, maps.len, NULL), 0);
	vec_free(&maps);
}

struct symbols *
symbols_of_self(struct arena *a)
{
	static const struct sym_ops ops = { .read = read_self };
	struct symbols *s = symbols_new(&ops);

	symbols_map_self(s, a);
	return s;
}
