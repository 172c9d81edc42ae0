#!/bin/bash
# Our scripts, as shellcheck likes them.
set -eu
cd "$TOP_SRCDIR"
command -v shellcheck >/dev/null || { echo "no shellcheck"; exit 77; }

find tests examples bench tools completions \( -name '*.sh' -o -name '*.bash' \) -print0 2>/dev/null |
	xargs -0 shellcheck -x -e SC2016,SC2317 --source-path=SCRIPTDIR
for script in setup .ci/run; do
	[ ! -f "$script" ] || shellcheck "$script"
done
