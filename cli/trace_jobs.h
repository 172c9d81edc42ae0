#ifndef CLI_TRACE_JOBS_H
#define CLI_TRACE_JOBS_H

/*
 * pastime trace -j: several processes replay parts of a range at the same time,
 * and send what they find, which is handed on in order, as one process would.
 *
 * A part whose beginning is not the moment where the one before it ended (calls
 * were open there, and it went on until none was) is taken from that moment on,
 * when none of its later calls depends on an earlier one; else it is looked at
 * once more.
 */
#include "replayer/survey.h"

struct trace_jobs {
	const struct survey_req *req; /* functions or variable, range, sink */
	unsigned jobs;		      /* processes at a time */
	const uint64_t *bounds; /* between from and to, in order: where parts
				   begin */
	size_t n_bounds;
	/* In a process of its own. */
	int (*open)(void *ctx, struct replayer **out, struct err *err);
	void (*close)(void *ctx);
	/* Before rows of pass are handed on, out of passes. */
	void (*pass)(void *ctx, unsigned pass, unsigned passes);
	void *ctx;
	/* Results: parts that were handed on, and such as were looked at once
	 * more. */
	unsigned parts, again;
};

/* As survey_run, with all passes; req's sink and progress are called here. */
int trace_jobs_run(struct trace_jobs *t, struct survey_result *out,
		   struct err *err);

#endif
