#!/bin/bash
# Every guest is recorded and replayed with memory checksums, its output
# compared, and a few of its moments visited forwards and backwards: each must
# look the same both times. The guest's own checks must pass, too.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

build=${TOP_BUILDDIR:-.}
smoke=$build/tools/rr-smoke
guests=0

for guest in "$build"/tests/guests/*; do
	if [ ! -f "$guest" ] || [ ! -x "$guest" ]; then continue; fi
	name=${guest##*/}
	guests=$((guests + 1))
	mkdir "$T/$name"
	cd "$T/$name" || exit 99
	run timeout 120 "$smoke" -T -o -s 8 "$guest" </dev/null
	said=$(tail -n 12 "$T/err")
	is "$name: replayed alike" 0 "$status"
	[ "$status" = 0 ] || printf '%s\n' "$said"
	# 0, or 77: what it tests is not possible here; lineage dies of SIGSEGV
	ends='0|0x4d00'
	[ "$name" != lineage ] || ends=0xb
	like "$name: its own checks" "status ($ends)," "$said"
	cd / || exit 99
done
holds "there are guests ($guests)" [ "$guests" -gt 40 ]

finish
