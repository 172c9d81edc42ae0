#!/bin/bash
# Every guest again, recorded with the agent, its call sites patched the first
# time they are seen, and with hardly any room for its records. What is replayed
# is compared call by call with registers, and with memory every few events.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

build=${TOP_BUILDDIR:-.}
smoke=$build/tools/rr-smoke

# guest NAME OPTIONS...
guest()
{
	local name=$1 said ends

	shift
	mkdir -p "$T/$name"
	cd "$T/$name" || exit 99
	run timeout 120 "$smoke" -o "$@" "$build/tests/guests/$name" </dev/null
	said=$(tail -n 12 "$T/err")
	is "$name $*: replayed alike" 0 "$status"
	[ "$status" = 0 ] || printf '%s\n' "$said"
	# 0, or 77: what it tests is not possible here; lineage dies of SIGSEGV
	ends='0|0x4d00'
	[ "$name" != lineage ] || ends=0xb
	like "$name $*: its own checks" "status ($ends)," "$said"
	cd / && rm -rf "${T:?}/$name"
}

for file in "$build"/tests/guests/*; do
	if [ ! -f "$file" ] || [ ! -x "$file" ]; then continue; fi
	name=${file##*/}
	guest "$name" -A 1 -s 8
	guest "$name" -A 1 -r 6000 -c 1 -e
done
for name in agent_fds agent_signals agent_threads fork_tree sa_restart_matrix; do
	guest "$name" -A 3 -c 5
done

# Most calls of a program that makes many are made by the agent.
run "$smoke" -a -d dd if=/dev/zero of=/dev/null bs=1 count=3000
is 'dd: replayed alike' 0 "$status"
made=$(grep -c ' AGENT$' "$T/err")
holds "dd: $made calls without a stop" [ "$made" -gt 5900 ]

finish
