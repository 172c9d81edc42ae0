#!/bin/bash
# Programs whose tasks compute at the same time, wait by looking at memory, or
# get signals while they compute: recorded into memory and replayed with
# checksums, output and status compared.
#
#	threads.sh [-n ROUNDS [-x]] [NAME...]
#
# -x: as many rounds again with hostile choices, each with a seed of its own.
# "make check-threads" does it twenty times.
#
# shellcheck source=e2e/lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

build=${TOP_BUILDDIR:-.}
smoke=$build/tools/rr-smoke
guests=$build/tests/guests
rounds=1
seeds=
while getopts n:x c; do
	case $c in
	n) rounds=$OPTARG ;;
	x) seeds=$rounds ;;
	*) exit 99 ;;
	esac
done
shift $((OPTIND - 1))
wanted=" $* "
limit=${THREADS_LIMIT:-300}
missing=
points=0
signals=0
export LC_ALL=C HOME=$T
cp "${TOP_SRCDIR:-.}"/tests/threads/* "$T" || exit 99
cd "$T" || exit 99

# some points|signals: how many rr-smoke says there were
some()
{
	local n

	n=$(sed -n "s/^rr-smoke: status.* \([0-9]*\) $1,.*/\1/p" "$T/smoke")
	echo "${n:-0}"
}

# round LABEL OPTION... -- COMMAND...
round()
{
	local label=$1 said

	shift
	timeout "$limit" "$smoke" -o -c 500 "$@" >"$T/out" 2>"$T/smoke" \
		</dev/null
	status=$?
	said=$(tail -n 12 "$T/smoke")
	is "$label: replayed alike" 0 "$status"
	[ "$status" = 0 ] || printf '%s\n' "$said"
	like "$label: its own status" "status 0," "$said"
	points=$((points + $(some points)))
	signals=$((signals + $(some signals)))
}

# try NAME [POINTS [SIGNALS]] -- COMMAND...: so many at the least in a round
try()
{
	local name=$1 i before=$failed began=$SECONDS min_points=0 min_signals=0

	shift
	[ "$1" = -- ] || { min_points=$1; shift; }
	[ "$1" = -- ] || { min_signals=$1; shift; }
	shift
	[[ $wanted = "  " || $wanted = *" $name "* ]] || return
	command -v "$1" >/dev/null || {
		missing+=" $name"
		return
	}
	points=0
	signals=0
	for ((i = 1; i <= rounds; i++)); do
		round "$name, round $i" "$@"
	done
	holds "$name: points ($points)" \
		[ "$points" -ge $((min_points * rounds)) ]
	holds "$name: signals ($signals)" \
		[ "$signals" -ge $((min_signals * rounds)) ]
	for ((i = 1; i <= seeds; i++)); do
		round "$name, seed $i" -x "$i" "$@"
	done
	printf '%-12s %3d rounds%s, %d points, %d signals, %d s%s\n' "$name" \
		"$rounds" "${seeds:+, $seeds seeds}" "$points" "$signals" \
		$((SECONDS - began)) \
		"$([ "$failed" = "$before" ] || echo ", FAILED")"
}

# built COMMAND...: quietly; it may not be there
built()
{
	command -v "$1" >/dev/null && "$@" >"$T/built" 2>&1
}

try spin_locks 20 -- "$guests/spin_locks"
try spin_flag 2 -- "$guests/spin_flag"
try sig_storm 15 80 -- "$guests/sig_storm"
try sig_stops 5 10 -- "$guests/sig_stops"
try prof_timers 20 60 -- "$guests/prof_timers"
try alarm_compute 4 8 -- "$guests/alarm_compute"

# shellcheck disable=SC2086 # CC may have words
built ${CC:-cc} -O1 -pthread -o spin spin.c || exit 99
for kind in cmpxchg ticket yield; do
	try "$kind" -- ./spin "$kind" 300
done
try compute 2 -- ./spin compute

# Who waits by spinning lets all others have their turns before its next,
# whatever their priorities: some five turns are cut, by looks and by ambushes,
# for each of the 400 times that a lock is passed on. Two that spin in turns for
# a third made it twenty.
passed_on()
{
	local i n

	for i in 1 2 3; do
		round "passed on, seed $i" -d -n -x "$i" ./spin ticket 100
		n=$(grep -c 'chaos: a turn of' "$T/smoke")
		holds "passed on, seed $i: few switches ($n)" [ "$n" -le 4000 ]
	done
}
[[ $wanted != "  " && $wanted != *" passed_on "* ]] || passed_on

# As long as what they look at stays as it is, who spins has no turns: some ten a
# second would be cut for three of them.
passed_over()
{
	local n ms

	round "passed over" -d -n ./spin first
	n=$(grep -c ' sched ' "$T/smoke")
	ms=$(sed -n 's/.* record \([0-9]*\) ms.*/\1/p' "$T/smoke")
	holds "passed over: few turns ($n in $ms ms)" \
		[ "$n" -le $((12 + 6 * ms / 1000)) ]
}
[[ $wanted != "  " && $wanted != *" passed_over "* ]] || passed_over

# A loop may come back to where its task was stopped, with the same registers.
came_back()
{
	local i

	for i in 1 2 3 4 5 6; do
		round "came back, seed $i" -x "$i" ./spin memory
	done
}
[[ $wanted != "  " && $wanted != *" came_back "* ]] || came_back

try perl 5 40 -- perl alarm.pl

try python -- python3 switch.py

# shellcheck disable=SC2086 # CC may have words
built ${CC:-cc} -shared -fPIC -o profile.so profile.c
try sqlite 1 1 -- sh -c \
	'command -v sqlite3 >/dev/null || exit 0
	LD_PRELOAD=./profile.so sqlite3 :memory: <rows.sql'

cat >speed.sh <<'END'
command -v openssl >/dev/null || exit 0
openssl speed -seconds 1 -bytes 1024 sha256 >/dev/null 2>&1
END
try openssl 1 1 -- sh speed.sh

head -c 3000000 /usr/bin/env >in.bin
for f in /usr/bin/*; do
	[ "$(stat -c %s in.bin)" -lt 3000000 ] || break
	head -c 3000000 "$f" >>in.bin 2>/dev/null
done
try xz 2 -- sh -c 'xz -T4 --block-size=1MiB -c in.bin >out.xz'

GOCACHE=$T/go built go build -o busy busy.go || missing+=" go"
[ ! -x busy ] || try go 4 2 -- ./busy

built javac Busy.java || missing+=" java"
[ ! -f Busy.class ] || try java 1 -- java -Xmx64m Busy

try node -- node worker.js

[ -z "$missing" ] || echo "not here:$missing"
finish
