#!/bin/bash
# Forwards from stop to stop and back over all of them: breakpoints, watchpoints,
# events, steps, with threads, signals, forks and exec, gzip and Python. At each
# stop position, registers and stack are what they were, from wherever it is
# gone back.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

build=${TOP_BUILDDIR:-.}

# check SEED ROUNDS COMMAND...
check()
{
	local seed=$1 rounds=$2

	shift 2
	run timeout 300 "$build/tools/move-check" -s "$seed" -r "$rounds" \
		-n 10 "$@"
	is "move-check $1" 0 "$status"
	like "move-check $1: something is compared" \
		"[1-9][0-9]+ stops compared, 0 wrong" \
		"$(tail -n 1 "$T/out" | tr -d '\0')"
}

seq 1 9000 >"$T/numbers"
check 1 10 "$build/tests/guests/cpu_bound_two"
check 2 10 "$build/tests/guests/alarm_compute"
check 3 15 "$build/tests/guests/fork_tree"
check 4 15 "$build/tests/guests/exec_thread"
check 5 15 "$build/tests/guests/futex_ops"
check 6 15 sh -c 'echo one | cat; exec true'
check 7 10 gzip -c "$T/numbers"
if [ -x "$(command -v python3)" ]; then
	check 8 10 python3 -c 'print(sum(map(hash, map(str, range(9000)))))'
fi
finish
