#!/bin/bash
# The program's streams are the ones that pastime was given, byte for byte; and
# replay prints the same bytes on the same streams.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

p=$PASTIME

# Every byte value, on both streams, in writes of odd sizes.
cat >"$T/bytes.pl" <<'P'
$| = 1; binmode STDOUT; binmode STDERR;
my $all = join "", map { chr } 0 .. 255;
for my $n (1, 3, 7, 64, 200) {
	syswrite STDOUT, substr($all x 2, $n, $n * 2);
	syswrite STDERR, substr($all x 2, 255 - $n, $n);
}
P
perl "$T/bytes.pl" >"$T/out.native" 2>"$T/err.native"
run "$p" record -q perl "$T/bytes.pl"
same "stdout, recorded" "$T/out.native" "$T/out"
same "stderr, recorded" "$T/err.native" "$T/err"
run "$p" replay
is "status of replay" 0 "$status"
same "stdout, replayed" "$T/out.native" "$T/out"
same "stderr, replayed" "$T/err.native" "$T/err"

# Standard input: a file, a pipe, nothing; the replay does not need it.
seq 1000 >"$T/in"
run "$p" record -q sort -rn <"$T/in"
sort -rn "$T/in" >"$T/sorted"
same "stdin from a file" "$T/sorted" "$T/out"
rm "$T/in"
run "$p" replay </dev/null
same "replayed without it" "$T/sorted" "$T/out"
seq 1000 | run "$p" record -q sort -rn
seq 1000 | "$p" record -q sort -rn >"$T/out"
same "stdin from a pipe" "$T/sorted" "$T/out"
run "$p" record -q cat <&-
is "closed stdin" "$(cat <&- 2>&1; echo $?)" "$(cat "$T/err")
$status"

# Standard descriptors that are closed stay so, in any company.
standard()
{
	local which=$1 out=$2

	shift 2
	(
		case $which in *0*) exec <&- ;; esac
		case $which in *1*) exec >&- ;; esac
		case $which in *2*) exec 2>&- ;; esac
		# shellcheck disable=SC2016
		exec "$@" bash -c 'for i in 0 1 2; do
			[ ! -e /proc/self/fd/$i ] || open="$open $i"
		done; echo "open:$open" >"$0"; exit 3' "$out"
	)
}
for which in 0 1 2 01 02 12 012; do
	standard $which "$T/native"
	standard $which "$T/recorded" "$p" record -q
	is "status with $which closed" 3 $?
	same "$which closed" "$T/native" "$T/recorded"
	"$p" replay </dev/null >"$T/out" 2>"$T/err"
	is "replay of $which closed" "0 " "$? $(cat "$T/out" "$T/err")"
done

# A reader that goes away kills the program, not pastime's manners.
"$p" record -q yes 2>"$T/err" | head -n 1 >"$T/out"
is "SIGPIPE" "$((128 + 13)) 0" "${PIPESTATUS[*]}"
is "nothing said" "" "$(cat "$T/err")"

# Descriptors beyond 2 reach the program, and no others do.
run "$p" record -q sh -c 'cat <&7' 7<<<seven
is "descriptor 7" seven "$(cat "$T/out")"
# shellcheck disable=SC2012 # names are numbers
native=$(ls /proc/self/fd | wc -l)
run "$p" record -q ls /proc/self/fd
is "descriptors of the program" "$native" "$(wc -l <"$T/out")"

# A pipe ends when the program closes it, though pastime runs on.
mkfifo "$T/pipe" "$T/go"
"$p" record -q sh -c 'exec >&-; read -r _ <'"$T/go" >"$T/pipe" &
cat "$T/pipe" >/dev/null
pass # end of file was seen while the program still ran
echo >"$T/go"
wait $!
is "status of it" 0 $?

# The environment, the folder and the umask are the program's own.
run env -i A=1 PATH="$PATH" PASTIME_HOME="$PASTIME_HOME" "$p" record -q env
is "environment" "$(env -i A=1 PATH="$PATH" PASTIME_HOME="$PASTIME_HOME" env)" \
	"$(cat "$T/out")"
run sh -c 'cd / && umask 027 && exec "$0" record -q sh -c "pwd; umask"' "$p"
is "folder and umask" "/ 0027" "$(tr '\n' ' ' <"$T/out" | sed 's/ $//')"
run "$p" record -q sh -c 'echo $PPID'
is "the program's parent is pastime" 1 "$(grep -c '^[0-9]*$' "$T/out")"

# Signals that were ignored or blocked stay so.
run sh -c 'trap "" HUP USR2; exec "$0" record -q grep SigIgn /proc/self/status' \
	"$p"
recorded=$(cat "$T/out")
is "ignored signals" "$(trap "" HUP USR2; grep SigIgn /proc/self/status)" \
	"$recorded"
finish
