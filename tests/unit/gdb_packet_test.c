#include "gdb/packet.h"

#include <criterion/criterion.h>

#include "base/mem.h"

Test(gdb_packet, what_is_put_is_taken)
{
	uint8_t all[256];
	struct packets p = { 0 };
	struct buf wire = { 0 }, data = { 0 };

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	packet_put(&wire, span_of(all, sizeof(all)));
	packets_feed(&p, wire.p, wire.len);
	cr_assert_eq(packets_next(&p, &data), PACKET_DATA);
	cr_assert(span_eq(buf_span(&data), span_of(all, sizeof(all))));
	cr_assert_eq(packets_next(&p, &data), PACKET_NONE);
	packets_release(&p);
	buf_free(&wire);
	buf_free(&data);
}
