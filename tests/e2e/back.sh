#!/bin/bash
# Back by single instructions at random places of computations, threads' too:
# registers and all memory are what stepping forwards shows, and the names of the
# moments lead there again. Even short computations count as long ones, and code
# is looked at often.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

build=${TOP_BUILDDIR:-.}

# check SEED COMMAND...
check()
{
	local seed=$1

	shift
	run timeout 300 "$build/tools/back-check" -v -s "$seed" -n 5 \
		-f 1 -S 300000 "$@"
	is "back-check $1" 0 "$status"
	like "back-check $1: all alike" "[1-9][0-9]+ moments compared, 0 wrong" \
		"$(tail -n 1 "$T/out" | tr -d '\0')"
}

seq 1 20000 >"$T/numbers"
check 1 "$build/tests/guests/cpu_bound_two"
check 2 "$build/tests/guests/alarm_compute"
check 3 gzip -c "$T/numbers"
if [ -x "$(command -v python3)" ]; then
	check 5 python3 -c 'print(sum(map(hash, map(str, range(9000)))))'
	holds "some are named by an arrival near by" grep -qaE \
		"e[0-9]+[+]0x[0-9a-f]+#[0-9]+[+]0x[0-9a-f]+#[0-9]+" "$T/out"
fi
check 9 -a gzip -c "$T/numbers"
check 10 -a -c -k 2 -n 40 gzip -c "$T/numbers"
if [ -x "$(command -v awk)" ]; then
	check 6 awk '{ s += $1; t[s % 99] = $0 } END { print s }' \
		"$T/numbers"
fi
if [ -x "$(command -v sqlite3)" ]; then
	check 7 sqlite3 :memory: 'with recursive n(i) as (values (1)
		union all select i + 1 from n where i < 20000)
		select sum(i * i) from n'
fi
if [ -x "$(command -v xz)" ]; then
	check 8 xz -T1 -c "$T/numbers"
fi
finish
