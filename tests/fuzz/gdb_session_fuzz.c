/*
 * A client sends anything: as it comes, and each line of it as a packet with a
 * good checksum. The server stays alive and within its bounds.
 */
#include <string.h>

#include "base/mem.h"
#include "gdb/packet.h"
#include "tests/unit/gdb_fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf wire = { 0 }, out = { 0 };
	struct gdb_server *g;
	struct fake fake;

	fake_init(&fake);
	for (size_t i = 0; i < FAKE_MOVES; i++) {
		uint64_t seq = 5 + 4 * i;

		fake.moves[fake.n_moves++] = (struct target_stop){
			.why = (enum target_why)(1 + i % 6),
			.pos = { .seq = seq },
			.task = 1 + (uint32_t)i % 3,
			.index = i % 2,
		};
		fake.events[seq].kind = (uint16_t)(i + 2);
		fake.events[seq].args[1] = i % 3;
		fake.events[seq].args[2] = i % 2;
	}
	g = fake_server(&fake);
	packet_put(&wire, span_str("qSupported:multiprocess+;fork-events+"));
	for (const uint8_t *at = p, *end = p + n; at < end;) {
		const uint8_t *line = memchr(at, '\n', (size_t)(end - at));

		if (!line)
			line = end;
		packet_put(&wire, span_of(at, (size_t)(line - at)));
		at = line + 1;
	}
	fake_client(g, wire.p, wire.len, &out);
	fake_client(g, p, n, &out);
	gdb_server_free(g);
	buf_free(&wire);
	buf_free(&out);
	return 0;
}
