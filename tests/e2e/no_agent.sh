#!/bin/bash
# Without the agent all works the same: a sample of the tests, and of programs,
# with every call trapped. "make check-no-agent" runs all of them.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

p=$PASTIME
here=${TOP_SRCDIR:-.}/tests

# by_agent NAME: how many calls of it the agent made
by_agent()
{
	"$p" sql --csv "$1" \
		"select count(*) from event where flags & 64 <> 0" | tail -n 1 | tr -d '\r'
}

run "$p" record -q -n with find /usr/include/linux
is "with the agent: status" 0 "$status"
run "$p" record -q --no-agent -n without find /usr/include/linux
is "--no-agent: status" 0 "$status"
run env PASTIME_PROBE=-agent "$p" record -q -n denied find /usr/include/linux
is "PASTIME_PROBE=-agent: status" 0 "$status"
holds "most calls are the agent's ($(by_agent with))" \
	[ "$(by_agent with)" -gt 100 ]
is "--no-agent: none" 0 "$(by_agent without)"
is "PASTIME_PROBE=-agent: none" 0 "$(by_agent denied)"

for test in e2e/interrupt.sh e2e/jobctl.sh e2e/status.sh \
	e2e/streams.sh; do
	TEST_AGENT=0 bash "$here/$test" >"$T/log" 2>&1
	status=$?
	[ "$status" = 77 ] || is "without: $test" 0 "$status"
	[ "$status" = 0 ] || tail -n 20 "$T/log"
done
TEST_AGENT=0 bash "$here/programs.sh" ls pipeline make python-threads sqlite \
	>"$T/log" 2>&1
is "without: programs" 0 $?

finish
