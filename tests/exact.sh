#!/bin/bash
# Execution points: some programs are preempted at random moments, and replay
# has to stop at each of them (tests/exact.py says how that is compared). Twice:
# with the kernel's way to tell which pages were written, and by hashes.
# "make check-exact" does it at length, with all programs.
set -u

command -v python3 >/dev/null || {
	echo "no python3"
	exit 77
}
here=${TOP_SRCDIR:-.}/tests
failed=0

python3 "$here/exact.py" --sample --size 0.5 "$@" || failed=1
PASTIME_PROBE="${PASTIME_PROBE:-} -dirty" python3 "$here/exact.py" --points 3 --size 0.3 "$@" \
	"loop dec" "loop hidden" gzip || failed=1
exit $failed
