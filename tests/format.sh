#!/bin/bash
# The lines that differ from the base (FORMAT_BASE, by default where this
# branch left main) are as clang-format 14 would write them.
set -u
cd "$TOP_SRCDIR" || exit 1

skip()
{
	echo "$1"
	exit 77
}

git rev-parse --git-dir >/dev/null 2>&1 || skip "not a git checkout"
tool=
for t in clang-format-14 clang-format; do
	[[ "$($t --version 2>/dev/null)" == *"version 14."* ]] && tool=$t && break
done
[ -n "$tool" ] || skip "clang-format 14 is not installed"
driver=$(command -v git-clang-format-14 || command -v git-clang-format) ||
	skip "git-clang-format is not installed"

base=${FORMAT_BASE:-}
for ref in main origin/main; do
	[ -n "$base" ] && break
	base=$(git merge-base HEAD "$ref" 2>/dev/null)
done
[ -n "$base" ] || skip "no base to compare with: set FORMAT_BASE"

diff=$("$driver" --binary "$(command -v "$tool")" --extensions c,h --diff \
	"$base" 2>&1)
case $diff in
"" | "no modified files to format" | *"did not modify any files") exit 0 ;;
esac
printf '%s\n' "$diff" "" "To apply: $(basename "$driver") $base"
exit 1
