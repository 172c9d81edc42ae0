#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tracee/probe.h"

Test(tracee_probe, a_host_that_runs_these_tests_has_what_is_needed)
{
	struct probe_result r[PROBE_COUNT];

	unsetenv("PASTIME_PROBE");
	probe_all(r);
	for (unsigned i = 0; i < PROBE_COUNT; i++) {
		cr_assert_not_null(r[i].name, "feature %u has no name", i);
		cr_assert_not_null(r[i].text);
		cr_assert_gt(strlen(r[i].found), 0u);
		cr_assert(r[i].ok || !r[i].needed, "%s: %s", r[i].name,
			  r[i].found);
		cr_assert_eq(r[i].ok, probe_ok((enum probe)i));
		cr_assert(!r[i].needed || strlen(r[i].remedy) > 0);
	}
}

Test(tracee_probe, the_environment_denies_what_it_names)
{
	struct probe_result r[PROBE_COUNT];

	setenv("PASTIME_PROBE", "-forced_write,-tsc", 1);
	cr_assert_not(probe_ok(PROBE_FORCED_WRITE));
	cr_assert_not(probe_ok(PROBE_TSC));
	cr_assert(probe_ok(PROBE_SECCOMP));
	probe_all(r);
	cr_assert_not(r[PROBE_TSC].ok);
	cr_assert_not_null(strstr(r[PROBE_TSC].found, "PASTIME_PROBE"));
	/* A longer or a shorter name is another one. */
	setenv("PASTIME_PROBE", "-tscx -seccom", 1);
	cr_assert(probe_ok(PROBE_TSC));
	cr_assert(probe_ok(PROBE_SECCOMP));
}
