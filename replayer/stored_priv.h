#ifndef REPLAYER_STORED_PRIV_H
#define REPLAYER_STORED_PRIV_H

/*
 * The bytes of a stored checkpoint. Numbers are varints unless said otherwise;
 * a text is its length and its bytes.
 *
 *	version, seq, time_ns, where in the code behind seq: see save_inside
 *	files: length of their items; ITEM_FILE each
 *	shared memory: count; id, size, pieces
 *	groups: count; num, tgid, parent, stack_limit
 *	spaces: count; num, brk, brk_start, cpu + 1, stack, traps_tsc, auxv,
 *		exe, unforked ranges, mappings (struct map_rec each), pieces
 *	descriptor tables: count; descriptors
 *	puppets: count; see save_puppet
 *	XXH3-64 of all that, 8 bytes
 *
 * Pieces: count; pages from the last one's begin << 4 | which of the pages it
 * has, and the blob of those, 16 bytes. What is in no piece is zero, or as the
 * file that is mapped there has it.
 */
#include "replayer/stored.h"

#define STORED_PAGE 4096u
#define STORED_PAGES 4u /* of a piece */
#define STORED_PIECE (STORED_PAGES * STORED_PAGE)

#endif
