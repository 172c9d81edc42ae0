#!/bin/bash
# What can be executed, what cannot, and what loses something by being recorded;
# without privileges, in a home of a very long name.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

p=$PASTIME
who=
x=$T/x
mkdir "$x" "$T/user"
if [ "$(id -u)" -eq 0 ]; then
	need setpriv
	who="setpriv --reuid=nobody --regid=nogroup --clear-groups --"
	getent group nogroup >/dev/null ||
		who="setpriv --reuid=nobody --regid=nobody --clear-groups --"
	chown nobody "$T/user"
	chmod 755 "$x"
	# shellcheck disable=SC2086
	$who test -x "$p" || skip "nobody may not execute $p"
fi
export HOME=$T/user
PASTIME_HOME=$T/user/$(printf 'long%.0s' {1..50})/$(printf 'er%.0s' {1..50})
cd "$x" || exit 99

clean_up_user()
{
	local socket

	socket=$($who "$p" db status 2>/dev/null | sed -n 's/^socket *//p')
	$who "$p" db stop -q >/dev/null 2>&1
	rm -rf "$T"
	[ -z "$socket" ] || rm -rf "$socket"
}
trap clean_up_user EXIT

cp /bin/true unreadable
cp /bin/true set-id
head -c 3000 /bin/ls >cut-short
printf 'echo without a first line "$@"\n' >plain
printf '#!%s/loop\n' "$x" >loop
: >empty
chmod 755 set-id cut-short plain loop empty
# A 32-bit program: exit(7)
{
	printf '\x7fELF\1\1\1\0\0\0\0\0\0\0\0\0\2\0\3\0\1\0\0\0\x54\x80\4\x08'
	printf '\x34\0\0\0\0\0\0\0\0\0\0\0\x34\0\x20\0\1\0\0\0\0\0\0\0'
	printf '\1\0\0\0\0\0\0\0\0\x80\4\x08\0\x80\4\x08\x60\0\0\0\x60\0\0\0'
	printf '\5\0\0\0\0\x10\0\0\xb8\1\0\0\0\xbb\7\0\0\0\xcd\x80'
} >bits32
chmod 755 bits32
if [ -n "$who" ]; then
	chmod 711 unreadable # of root, not of nobody
	chmod 4755 set-id
else
	chmod 111 unreadable
fi

# both WHAT COMMAND...: the same words and status natively, recorded, replayed
both()
{
	local what=$1 native

	shift
	# shellcheck disable=SC2086
	run $who "$@"
	native=$status
	cp "$T/out" "$T/native.out"
	cp "$T/err" "$T/native.err"
	# shellcheck disable=SC2086
	run $who "$p" record -q "$@"
	is "$what: status" "$native" "$status"
	same "$what: stdout" "$T/native.out" "$T/out"
	same "$what: stderr" "$T/native.err" "$T/err"
	# shellcheck disable=SC2086
	run $who "$p" replay
	is "$what: replay" 0 "$status"
	same "$what: stdout of the replay" "$T/native.out" "$T/out"
	same "$what: stderr of the replay" "$T/native.err" "$T/err"
}

# ends HOW COMMAND...: recorded without -q; the end line's notes say HOW
notes()
{
	local how=$1

	shift
	# shellcheck disable=SC2086
	run $who "$p" record "$@"
	like "notes of: $*" "$how" "$(cat "$T/err")"
}

both "a plain script" ./plain a 'b c'
both "an empty script" ./empty
both "a loop of interpreters" bash -c './loop; echo $?'
both "a program that is cut short" sh -c './cut-short; echo $?; echo more'
# shellcheck disable=SC2086
run $who "$p" record ./cut-short
is "status of a command that is cut short" 125 "$status"
like "message of it" E_EXEC "$(cat "$T/err")"

# 32 bits: as on a machine that cannot run them, and said so
notes "bits32 is a 32-bit program, .*ENOEXEC" sh -c './bits32; echo $?'
is "the script goes on" 126 "$(cat "$T/out")"
# shellcheck disable=SC2086
refuses 125 E_UNSUPPORTED "32-bit" $who "$p" record ./bits32

if [ -n "$who" ] || [ "$(id -u)" -ne 0 ]; then
	notes "unreadable is not readable, .*EACCES" sh -c './unreadable; echo $?'
	is "the script goes on" 126 "$(cat "$T/out")"
	# shellcheck disable=SC2086
	run $who "$p" replay
	is "and is replayed" "0 126" "$status $(cat "$T/out")"
	# shellcheck disable=SC2086
	refuses 126 E_EXEC "not read it" $who "$p" record ./unreadable
fi
if [ -n "$who" ]; then
	notes "set-id is set-user-id, but ran without" ./set-id
	is "status of it" 0 "$status"
	# For root it keeps them: nothing to say. The server's account must get
	# through to its folder.
	PASTIME_HOME=$T/home
	run "$p" record sh -c ./set-id
	is "lines for root" 1 "$(wc -l <"$T/err")"
	"$p" db stop -q
	rm -rf "$("$p" db url | sed 's/^host=\([^ ]*\) .*/\1/')"
	PASTIME_HOME=$T/user/$(printf 'long%.0s' {1..50})/$(printf 'er%.0s' {1..50})
fi

# What is ignored stays ignored, though a trap of our own prepares the image.
ignores="trap '' TRAP; exec grep SigIgn /proc/self/status"
wanted=$(sh -c "$ignores")
for how in --agent --no-agent; do
	run "$p" record -q "$how" sh -c "$ignores"
	is "an ignored SIGTRAP $how" "0 $wanted" "$status $(cat "$T/out")"
done

# PostgreSQL wants an account: one without a name gets one in a user namespace.
# Where there are none the recording waits in the spool, and what is missing is
# said.
if [ -n "$who" ] && ! getent passwd 54321 >/dev/null; then
	nobody="setpriv --reuid=54321 --regid=54321 --clear-groups --"
	mkdir "$T/nobody" && chown 54321 "$T/nobody"
	# shellcheck disable=SC2086 # several words
	PASTIME_HOME=$T/nobody run $nobody "$p" record echo hello
	is "without an account" "0 hello" "$status $(cat "$T/out")"
	said="recorded #1"
	$nobody unshare -U true 2>/dev/null || said="spool.*user ID 54321"
	like "what becomes of it" "$said" "$(cat "$T/err")"
	socket=$(PASTIME_HOME=$T/nobody $nobody "$p" db url |
		sed 's/^host=\([^ ]*\) .*/\1/')
	PASTIME_HOME=$T/nobody $nobody "$p" db stop -q
	rm -rf "$socket"
fi
finish
