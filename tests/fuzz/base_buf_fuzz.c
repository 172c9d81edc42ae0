/* Readers stay inside their span, and what they read can be written again. */
#include "base/buf.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
numbers_come_back(uint64_t u, int64_t i)
{
	struct buf b = { 0 };
	struct reader r;

	buf_varint(&b, u);
	buf_zigzag(&b, i);
	reader_init(&r, buf_span(&b));
	ASSERT(reader_varint(&r) == u);
	ASSERT(reader_zigzag(&r) == i);
	ASSERT(reader_done(&r) && !r.bad);
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf text = { 0 };
	struct reader r;
	struct span s;

	reader_init(&r, span_of(p, n));
	while (!reader_done(&r)) {
		switch (reader_u8(&r) % 6) {
		case 0:
			numbers_come_back(reader_varint(&r), reader_zigzag(&r));
			break;
		case 1:
			reader_u32(&r);
			break;
		case 2:
			reader_u64(&r);
			break;
		case 3:
			s = reader_bytes(&r, reader_u8(&r));
			buf_escape(&text, s);
			break;
		case 4:
			s = reader_bytes(&r, (size_t)reader_varint(&r));
			buf_put(&text, s.p, s.len);
			break;
		case 5:
			reader_u8(&r);
			break;
		}
	}
	ASSERT(strlen(buf_cstr(&text)) <= text.len);
	buf_free(&text);
	return 0;
}
