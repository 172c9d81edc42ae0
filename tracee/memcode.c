#include "tracee/memcode.h"

bool
mem_code(const struct mem *m, uint64_t pc, struct code *out)
{
	uint8_t bytes[CODE_LEN_MAX];
	ssize_t n = mem_read(m, pc, bytes, sizeof(bytes));

	return n > 0 && code_decode(span_of(bytes, (size_t)n), pc, out);
}
