#ifndef GDB_PACKET_H
#define GDB_PACKET_H

/*
 * Packets of the gdb remote protocol: $DATA#CHECKSUM, '}' escapes a byte,
 * "c*N" repeats one. What comes from a client is hostile input.
 */
#include "base/buf.h"

#define PACKET_SIZE 0x20000u /* what we accept, and at most send as one */

enum packet_kind {
	PACKET_NONE, /* not a whole one yet */
	PACKET_DATA,
	PACKET_INTERRUPT, /* 0x03 */
	PACKET_ACK,	  /* '+' */
	PACKET_NAK,	  /* '-': send the last one again */
	PACKET_BAD,	  /* wrong checksum, wrong escape or too long */
};

/* Bytes that came, and how far they have been looked at. */
struct packets {
	struct buf raw;
	size_t at;
};

void packets_feed(struct packets *p, const void *bytes, size_t n);
/* Take the next one; data replaces what is in *data. */
enum packet_kind packets_next(struct packets *p, struct buf *data);
/* Take an interrupt that waits behind other bytes out of turn. */
bool packets_interrupted(struct packets *p);
void packets_release(struct packets *p);

/* Append data as a packet to out, escaped. */
void packet_put(struct buf *out, struct span data);

/* ---- what packets are made of */

int hex_digit(char c); /* or -1 */
void hex_put(struct buf *out, const void *bytes, size_t n);
/* Little-endian value of so many bytes, as registers are sent. */
void hex_put_le(struct buf *out, uint64_t v, unsigned bytes);
/* Text of two digits a byte; false when it is none. */
bool hex_get(struct span text, struct buf *out);

/* A text being parsed; a mistake sets bad, and everything after is 0. */
struct scan {
	const char *p, *end;
	bool bad;
};

void scan_init(struct scan *s, struct span text);
bool scan_done(const struct scan *s); /* nothing left and not bad */
/* Take the word when it comes next. */
bool scan_word(struct scan *s, const char *word);
/* The next character must be c. */
void scan_char(struct scan *s, char c);
/* A hexadecimal number of at most 16 digits. */
uint64_t scan_hex(struct scan *s);
/* Up to c, which is taken too; up to the end when there is none. */
struct span scan_until(struct scan *s, char c);
struct span scan_rest(struct scan *s);

#endif
