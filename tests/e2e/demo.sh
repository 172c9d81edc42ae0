#!/bin/bash
# What ./setup shows at its end works, and says what it should.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"
cc=${CC:-cc}
need "${cc%% *}"

export PASTIME
run sh "${TOP_SRCDIR:-.}/examples/demo.sh"
is "status of the demo" 0 "$status"
out=$(cat "$T/out")
[ "$status" -eq 0 ] || cat "$T/out" "$T/err"
recorded=$(grep -o 'expected 200, found .*: payments were lost' "$T/out" |
	tail -n 2 | uniq)
is "record and replay print the same" 1 "$(wc -l <<<"$recorded")"
like "the lost payment" "TELLER +READ_AT" "$out"
like "the moment" "e[0-9]+ of recording [0-9]+, .* pwrite64\\(3, " "$(tr '\n' ' ' <"$T/out")"
like "source line" "> +[0-9]+ .*pwrite\\(account" "$out"
finish
