#!/bin/bash
# Accounts that are not as usual: one that has no name, as in containers; a home
# that cannot be written.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"
need setpriv
[ "$(id -u)" -eq 0 ] || skip "only root can take other accounts on"

uid=54321
while getent passwd $uid >/dev/null; do uid=$((uid + 1)); done
mkdir "$T/bin" "$T/other"
cp "$PASTIME" "$T/bin/pastime"
chmod 755 "$T/bin" "$T/bin/pastime"
chown $uid:$uid "$T/other"
chmod 700 "$T/other"

# other VARIABLE=VALUE... COMMAND...: as that account
other()
{
	(cd / && exec setpriv --reuid=$uid --regid=$uid --clear-groups env "$@")
}

run other PASTIME_HOME="$T/other/home" "$T/bin/pastime" record echo hello
is "without a name: status and output" "0 hello" "$status $(cat "$T/out")"
if other unshare -U true 2>/dev/null; then
	like "without a name: stored" "recorded #1" "$(cat "$T/err")"
	run other PASTIME_HOME="$T/other/home" "$T/bin/pastime" replay
	is "without a name: replay" "0 hello" "$status $(cat "$T/out")"
	holds "without a name: nothing is left" \
		[ ! -e "$T/other/home/passwd" ]
else
	run other PASTIME_HOME="$T/other/home" "$T/bin/pastime" ls
	is "without a name: status of ls" 125 "$status"
	like "without a name: what to do" "add one to /etc/passwd" \
		"$(cat "$T/err")"
fi
socket=$(other PASTIME_HOME="$T/other/home" "$T/bin/pastime" db status \
	2>/dev/null | sed -n 's/^socket *//p')
other PASTIME_HOME="$T/other/home" "$T/bin/pastime" db stop -q
[ -z "$socket" ] || rm -rf "$socket"

# Nowhere to keep anything: the program is not run half-recorded, and it is said.
run other -u PASTIME_HOME HOME=/proc/nowhere "$T/bin/pastime" record echo hello
is "no home to write: status" 125 "$status"
like "no home to write: said" "^pastime: .*/proc/nowhere.*\\[E" "$(cat "$T/err")"
holds "no home to write: what to do" [ "$(wc -l <"$T/err")" -ge 2 ]
run other -u PASTIME_HOME -u HOME "$T/bin/pastime" ls
like "no home at all: said" "^pastime: .*\\[E" "$(cat "$T/err")"
holds "no home at all: what to do" [ "$(wc -l <"$T/err")" -ge 2 ]
finish
