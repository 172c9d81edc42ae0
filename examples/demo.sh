#!/bin/sh
# Show pastime off on a small racy program: build it, record it until it fails,
# replay the failure, look at it, ask what happened. ./setup ends with this.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
PASTIME=${PASTIME:-pastime}
work=$(mktemp -d "${TMPDIR:-/tmp}/pastime-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

# What the user types: by name when it is the one in PATH.
name=${PASTIME#"$PWD"/}
[ "$(command -v pastime || :)" != "$(command -v "$PASTIME")" ] || name=pastime

say()
{
	printf '\n== %s\n' "$*"
}

# Print a command as the user would type it, then run it.
try()
{
	printf '\n$ %s' "$name"
	for word; do
		case $word in
		*[!A-Za-z0-9_@%+=:,./-]*) printf " '%s'" "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
	printf '\n'
	"$PASTIME" "$@"
}

say "examples/racy.c: two processes pay into one account without a lock"
# shellcheck disable=SC2086 # CC may be two words
${CC:-cc} -g -O1 -o "$work/racy" "$here/racy.c"
for _ in 1 2 3 4 5; do
	printf '%s\n' "$("$work/racy" || :)"
done

say "Record it until it fails; --chaos takes turns where it hurts"
tries=0
while
	tries=$((tries + 1))
	status=0
	try record --chaos -n racy "$work/racy" || status=$?
	[ "$status" -eq 0 ] && [ $tries -lt 50 ]
do
	"$PASTIME" rm -q racy
done
if [ "$status" -ne 1 ]; then
	echo "racy did not fail in $tries runs; the last one is recorded" >&2
	[ "$status" -eq 0 ] || exit "$status"
fi

say "Replay it: the same run again, though the program is gone now"
rm "$work/racy"
try replay -v racy

say "Which payment was lost? (examples/racy.sql)"
try sql racy -f "$here/racy.sql"

pos=$("$PASTIME" sql racy --csv -f "$here/racy.sql" |
	sed -n '2s/.*,\(e[0-9]*\),[^,]*$/\1/p')
say "The program at the moment when it was overwritten"
try replay racy --at "${pos:-end}" | sed '/^Registers/,$d'

cat <<END
== What next

  $name tui racy --at ${pos:-end}
      look around there; h and l go back and forth, ? shows the keys
  $name show racy --call pwrite64
      all that was written, and when
  $name sql racy
      psql on its history
  $name record COMMAND
      a program of your own
END
