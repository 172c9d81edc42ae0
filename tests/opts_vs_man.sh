#!/bin/bash
# What "pastime CMD --help" lists is what pastime-CMD.1 describes, for every
# command of "pastime help --list".
set -u

skip()
{
	echo "$1"
	exit 77
}

command -v groff >/dev/null || skip "no groff"
commands=$("$PASTIME" help --list 2>/dev/null) ||
	skip "pastime help --list does not work"
failed=0

# From lines such as "  -n, --name=NAME  text": -n and --name, one a line.
options()
{
	grep -E '^ +--?[A-Za-z]' | sed -E 's/^ +//; s/  .*//' |
		grep -oE '(^|[ ,])--?[A-Za-z][A-Za-z0-9-]*' | tr -d ' ,' |
		grep -vxE -- '--help|-h' | sort -u
}

rendered()
{
	groff -man -Tascii -P-cbou -rLL=200n "$1" 2>/dev/null |
		sed -n '/^OPTIONS/,/^[A-Z]/p'
}

find_page()
{
	local dir

	for dir in "$TOP_SRCDIR" "$TOP_BUILDDIR"; do
		[ ! -f "$dir/man/$1" ] || { echo "$dir/man/$1"; return; }
	done
}

for cmd in $commands; do
	page=$(find_page "pastime-$cmd.1")
	if [ -z "$page" ]; then
		echo "$cmd: no man/pastime-$cmd.1"
		failed=1
		continue
	fi
	diff -u --label "pastime $cmd --help" --label "pastime-$cmd.1" \
		<("$PASTIME" "$cmd" --help 2>&1 | options) \
		<(rendered "$page" | options) || failed=1
done
exit $failed
