#!/bin/bash
# What ls, ps, show and sql print of a known recording, for people and machines.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"
need python3

p=$PASTIME
cat >"$T/prog" <<'S'
echo to stdout
cat /does/not/exist
(exit 3)
kill -TERM $$
S
run "$p" record -q -n known sh "$T/prog"
is "status" 143 "$status"

# json FIELD...: the fields of every line of $T/out, one line each
json()
{
	python3 -c '
import json, sys
for line in open(sys.argv[1]):
	o = json.loads(line)
	print(*[o[k] for k in sys.argv[2:]])' "$T/out" "$@"
}

# ls
run "$p" ls --json
is "ls --json" "1 known SIGTERM done" "$(json rec name status state)"
run "$p" ls
like "ls" "REC +NAME .*known .*SIGTERM +done .*sh $T/prog" \
	"$(tr '\n' ' ' <"$T/out")"
run "$p" ls --csv
is "lines of ls --csv" 2 "$(wc -l <"$T/out")"

# ps
run "$p" ps --json
is "processes" 3 "$(wc -l <"$T/out")"
is "their ends" "SIGTERM 1 3" "$(json status | tr '\n' ' ' | sed 's/ $//')"
first=$(json pid | head -n 1)
is "their parents" "None $first $first" \
	"$(json parent | tr '\n' ' ' | sed 's/ $//')"
run "$p" ps
like "children are indented" "STATUS +COMMAND.* sh $T/prog.*  cat /does" \
	"$(tr '\n' ' ' <"$T/out")"

# show
run "$p" show --json
total=$(wc -l <"$T/out")
is "events are numbered densely" "$(seq "$total")" "$(json seq)"
run "$p" show
is "one line each" "$total" "$(wc -l <"$T/out")"
run "$p" show --csv
is "one line each as CSV, and a header" $((total + 1)) "$(wc -l <"$T/out")"
run "$p" show --call write
like "a call" "^e[0-9]+ .* write\\(1, \"to stdout\\\\\\\\?n\", 10\\) = 10" \
	"$(head -n 1 "$T/out")"
run "$p" show --errors --filter path:/does/not/exist
like "an error" "ENOENT" "$(cat "$T/out")"
run "$p" show --kind signal
like "a signal" "SIGTERM" "$(tail -n 1 "$T/out")"
run "$p" show --from e10 --to e12
is "a range" "e11 e12" "$(awk '{ print $1 }' "$T/out" | xargs)"
run "$p" show --from 100%
is "nothing after the end" "" "$(cat "$T/out")"
run "$p" show --task "$first" --json
holds "a task by its thread id" [ "$(json task | sort -u)" = 1 ]
run "$p" show --detail --call write
holds "detail is longer" [ "$(wc -l <"$T/out")" -gt 3 ]
"$p" show | head -n 1 >"$T/out"
is "a reader that has enough" "0 1" "${PIPESTATUS[1]} $(wc -l <"$T/out")"

# sql
run "$p" sql --csv "select :rec as rec, rec() = :rec as same, ':rec' as text"
is "sql --csv" "rec,same,text 1,t,:rec" "$(tr -d '\r' <"$T/out" | xargs)"
echo "select name, count(*) from call where name = 'write' group by 1" >"$T/q"
run "$p" sql -f "$T/q" --json
like "sql -f" "^write [0-9]+$" "$(json name count)"
run "$p" sql known -f - <"$T/q"
like "sql -f -, for people" "NAME +COUNT" "$(head -n 1 "$T/out")"
run "$p" sql "select text from output where fd = 1"
like "what was printed" "to stdout" "$(cat "$T/out")"
if command -v psql >/dev/null; then
	run "$p" sql -q known <<<'\t
\a
select :rec, rec(), count(*) > 0 from call;'
	like "psql is set up" "1\\|1\\|t" "$(cat "$T/out")"
fi

# replay --at: the moment as text
pos=$("$p" sql --csv "select pos(max(seq)) from call where name = 'write'
	and fd = 1" | tr -d '\r' | tail -n 1)
run "$p" replay --at "$pos"
is "status of replay --at" 0 "$status"
like "the position" "^$pos of recording 1" "$(cat "$T/out")"
like "the event" "write\\(1, " "$(sed -n 2p "$T/out")"
like "the sections" "Tasks.*Backtrace.*Code.*Registers" \
	"$(tr '\n' ' ' <"$T/out")"
for at in start end 50% 0.001s; do
	run "$p" replay --at $at
	is "status of replay --at $at" 0 "$status"
done

# tag, mv, rm, gc
run "$p" rm known
is "rm" "removed 1" "$(cat "$T/out")"
run "$p" ls --json
is "ls after rm" "" "$(cat "$T/out")"
run "$p" gc
like "gc" "^removed [0-9,]+ unused blobs?, " "$(cat "$T/out")"
run "$p" record -q true
run "$p" replay
is "recording after gc" 0 "$status"
finish
