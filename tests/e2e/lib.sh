# Common part of the end-to-end tests: a home with its own embedded server, and
# checks that count. Source it; end with "finish".
# shellcheck shell=bash
set -u

PASTIME=${PASTIME:-pastime}
T=$(mktemp -d "${TMPDIR:-/tmp}/pastime-e2e.XXXXXX") || exit 99
# For root the server runs under another account, which must get in.
chmod 711 "$T"
export PASTIME_HOME=$T/home
unset PASTIME_DB PGHOST PGSERVICE PGDATABASE PASTIME_FAULT PASTIME_PROBE
# TEST_AGENT=0: everything again without the agent, where each call traps.
[ "${TEST_AGENT:-1}" != 0 ] || export PASTIME_PROBE=-agent
failed=0
checks=0
status=0

clean_up()
{
	local socket

	socket=$("$PASTIME" db status 2>/dev/null | sed -n 's/^socket *//p')
	"$PASTIME" db stop -q >/dev/null 2>&1
	rm -rf "$T"
	[ -z "$socket" ] || rm -rf "$socket"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

pass()
{
	checks=$((checks + 1))
}

fail()
{
	checks=$((checks + 1))
	failed=$((failed + 1))
	printf 'FAILED: %s\n' "$*"
}

# is WHAT EXPECTED FOUND
is()
{
	if [ "$2" = "$3" ]; then
		pass
	else
		fail "$1"
		printf '  expected: %s\n  found:    %s\n' "$2" "$3"
	fi
}

# like WHAT PATTERN FOUND: an extended regular expression
like()
{
	if [[ $3 =~ $2 ]]; then
		pass
	else
		fail "$1"
		printf '  expected: %s\n  found:    %s\n' "$2" "$3"
	fi
}

# holds WHAT COMMAND...: it succeeds
holds()
{
	local what=$1

	shift
	if "$@"; then
		pass
	else
		fail "$what"
	fi
}

# same WHAT FILE FILE
same()
{
	if cmp -s "$2" "$3"; then
		pass
	else
		fail "$1"
		diff -a "$2" "$3" | head -20
	fi
}

# Run a command; leaves $status, $T/out and $T/err.
run()
{
	"$@" >"$T/out" 2>"$T/err"
	status=$?
}

# refuses STATUS CODE WORDS COMMAND...: it fails with that status, and says
# so in three parts: what and why, the code, what to type next.
refuses()
{
	local want=$1 code=$2 words=$3 said

	shift 3
	run "$@" </dev/null
	said=$(cat "$T/err")
	is "status of: $*" "$want" "$status"
	like "first line of: $*" "^pastime: .*\\[$code\\]" "$said"
	like "text of: $*" "$words" "$said"
	is "stdout of: $*" "" "$(cat "$T/out")"
	holds "a word about what to do next: $* ($said)" \
		[ "$(wc -l <"$T/err")" -ge 2 ]
}

# Poll for a condition, at most 20 seconds.
wait_for()
{
	local until=$((SECONDS + 20))

	until eval "$1"; do
		[ $SECONDS -lt $until ] || return 1
		read -r -t 0.02 <> <(:)
	done
	return 0
}

# A zombie that nobody reaps is not alive.
alive()
{
	grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status" 2>/dev/null
}

skip()
{
	echo "$*"
	if [ "${CI:-}" = true ]; then
		exit 1
	fi
	exit 77
}

# need PROGRAM...
need()
{
	local p

	for p; do
		command -v "$p" >/dev/null || skip "no $p"
	done
}

finish()
{
	echo "$checks checks, $failed failed"
	[ "$failed" -eq 0 ] && [ "$checks" -gt 0 ]
	exit
}
