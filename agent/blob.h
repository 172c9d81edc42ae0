#ifndef AGENT_BLOB_H
#define AGENT_BLOB_H

/* The bytes of the agent page, as linked at AGENT_BASE. */
#include <stddef.h>
#include <stdint.h>

extern const uint8_t agent_blob[];
extern const size_t agent_blob_len;

/* The agent's code, as linked at AGENT_CODE. */
extern const uint8_t agent_code[];
extern const size_t agent_code_len;

/* The point stub (agent/stub.h), which runs wherever it is put; it begins
 * with struct stub_head. */
extern const uint8_t agent_stub[];
extern const size_t agent_stub_len;

#endif
