#!/bin/bash
# pastime gdb as a server for others, and what it says when it cannot serve.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh" || exit
need gdb "${CC%% *}"
export HOME=$T LC_ALL=C DEBUGINFOD_URLS=
# Of our own, as other tests have debuggers, too; in a short name.
tmp=$(mktemp -d /tmp/pt-gdb.XXXXXX) || exit 99
export TMPDIR=$tmp
server=
trap 'rm -rf "$tmp"; [ -z "$server" ] || kill "$server" 2>/dev/null; clean_up' EXIT

cp "${TOP_SRCDIR:-.}/tests/e2e/gdb/crash.c" "$T"
(cd "$T" && ${CC:-cc} -g -O0 -o crash crash.c) || skip "no compiler"
{
	(cd "$T" && "$PASTIME" record -q -n crash ./crash)
} >/dev/null 2>&1
"$PASTIME" record -q -n true true

# client COMMAND...: a gdb of somebody's own
client()
{
	local args=() c

	for c; do
		args+=(-ex "$c")
	done
	timeout 60 gdb -nx -q -batch "${args[@]}" </dev/null >"$T/out" 2>&1
	said=$(cat "$T/out")
}

"$PASTIME" gdb crash --port 0 2>"$T/served" &
server=$!
holds "it says where it serves" \
	wait_for "grep -q 'in gdb: target extended-remote' '$T/served'"
port=$(grep -oE 'localhost:[0-9]+' "$T/served" | grep -oE '[0-9]+$')
like "which recording" "serving recording 1 on port $port" "$(cat "$T/served")"

client "target extended-remote localhost:$port" bt "print counter" \
	"monitor when" "monitor seek start" stepi "print counter"
like "the crash" '#0 .* in crash \(p=0x0\) at crash\.c:19' "$said"
like "a variable" '\$1 = 5' "$said"
like "moved, and told" 'at e[0-9]+.*_start.*\$2 = 0' "$said"

client "target remote localhost:$port" "print counter" "monitor seek end" \
	"stepi" "print counter" "detach"
like "the next client finds it where it was left" '\$1 = 0.*\$2 = 5' "$said"
holds "it serves on" alive "$server"

# An odd client does no harm: half a packet, and away.
printf '$qSupp' >"/dev/tcp/localhost/$port"
client "target extended-remote localhost:$port" "print counter"
like "after an odd client" '\$1 = 5' "$said"

refuses 125 EADDRINUSE "cannot serve port $port" "$PASTIME" gdb --port "$port"
kill -TERM "$server"
wait "$server"
is "it ends in order" 0 $?
server=

# Over a pipe.
client "target extended-remote | exec '$PASTIME' gdb -q crash --port=-" \
	"print counter" "info symbol \$pc"
like "by a pipe" '\$1 = 5.*crash' "$said"

# Its own gdb: exit status, arguments, another gdb.
run "$PASTIME" gdb crash -- -nx -batch -ex 'quit 7'
is "exit status of gdb" 7 "$status"
run "$PASTIME" gdb -- -nx -batch -ex 'info inferiors'
like "the latest recording" 'true' "$(cat "$T/out")"
run "$PASTIME" gdb crash --at start -- -nx -batch -ex 'print counter'
like "a position" '\$1 = 0' "$(cat "$T/out")"
# Files that are as they were are gdb's own business, others come from the
# recording.
run "$PASTIME" gdb crash -- -nx -batch -ex 'print counter' \
	-ex 'info inferiors'
like "its own files" "[$]1 = 5.* $T/crash" "$(cat "$T/out" "$T/err")"
like "nothing is transferred" '^[^:]*$' "$(grep -i 'target' "$T/out" "$T/err")"
echo 'what is this?' >"$T/crash"
run "$PASTIME" gdb crash -- -nx -batch -ex 'print counter' \
	-ex 'info inferiors'
like "recorded files" "[$]1 = 5.* target:$T/crash" "$(cat "$T/out")"
printf '#!/bin/sh\necho "this is no gdb: $*"\n' >"$T/other"
chmod 755 "$T/other"
PASTIME_GDB=$T/other run "$PASTIME" gdb crash -- --tui
like "another gdb" 'this is no gdb: -q -x .* --tui$' "$(cat "$T/out")"
is "nothing is left behind" "" \
	"$(find "$TMPDIR" -maxdepth 1 -name 'pastime-gdb.*')"

mkdir "$T/empty"
refuses 125 E_EXEC "cannot start 'gdb'" \
	env PATH="$T/empty" "$PASTIME" gdb crash
refuses 125 E_EXEC "cannot start '/nonexistent/gdb'" \
	env PASTIME_GDB=/nonexistent/gdb "$PASTIME" gdb crash
refuses 125 E_NOT_FOUND "nobody" "$PASTIME" gdb nobody
refuses 125 E_POSITION "there is no event e9999" \
	"$PASTIME" gdb crash --at e9999
refuses 125 E_USAGE "not a port" "$PASTIME" gdb --port 65536
refuses 125 E_USAGE "not a port" "$PASTIME" gdb --port x
refuses 125 E_USAGE "starts no gdb" "$PASTIME" gdb crash --port 0 -- -batch
finish
