#!/bin/bash
# pastime trace: every write and every call of guests whose writes and calls are
# known exactly; ranges, what they cover, and what is done about it.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

p=$PASTIME
guest=${TOP_BUILDDIR:-.}/tests/guests/traced
check=${TOP_BUILDDIR:-.}/tools/survey-check

ask()
{
	"$p" sql --csv "$@" 2>>"$T/said" | sed '1d; s/\r$//'
}

# Each found moment is gone to by its name: with every stop, and with the agent.
# what FOUND OPTIONS... -- COMMAND...
found()
{
	local what=$1

	shift
	run timeout 300 "$check" "$@"
	is "survey-check $*: $(cat "$T/err")" 0 "$status"
	like "survey-check $*" "$what.*[0-9]+ checks, 0 wrong" \
		"$(tail -n 2 "$T/out" | tr -d '\0' | tr '\n' ' ')"
}
calls=fact,jumper,even,odd,outer,inner,mixed,forker,last_words,become
for agent in "" -a; do
	# shellcheck disable=SC2086 # none or one word
	found "1017 writes" $agent -w counter "$guest"
	# shellcheck disable=SC2086
	found "3 writes" $agent -w line "$guest"
	# shellcheck disable=SC2086
	found "21 calls" $agent -c "$calls" "$guest"
done
found "20 writes" -w seen "${TOP_BUILDDIR:-.}/tests/guests/sig_compute"

run "$p" record -q -n traced "$guest"
is "record: $(cat "$T/err")" 0 "$status"

# ---- writes

run "$p" trace traced --writes counter --csv
is "trace --writes: $(cat "$T/err")" 0 "$status"
is "rows that are printed" 1018 "$(wc -l <"$T/out")"
# In one process each write begins with what the one before left.
ask traced "select count(*), count(*) filter (where not changed),
	count(*) filter (where old_value = before) from (select *, lag(new_value)
	over (partition by process order by seq, nth) as before from write) w
	where process = 1" >"$T/out"
is "writes of the first process: all, same value, in a chain" "1015,1,1014" \
	"$(cat "$T/out")"
ask traced "select string_agg(distinct new_value - old_value || ' x' || n, ' ')
	from (select *, count(*) over (partition by process, new_value - old_value)
	as n from write) w where process = 1" >"$T/out"
is "by how much, how often" \
	"0 x1 1 x1002 100 x5 1000 x5 2 x1 3 x1" "$(cat "$T/out")"
is "the child's" "6506,-1,bump" "$(ask traced "select old_value, new_value -
	old_value, function from write where process = 2")"
is "after exec" "0,77,bump" "$(ask traced "select old_value, new_value,
	function from write where process > 2")"
is "the line of each" "$(grep -n 'counter += n;' \
	"$TOP_SRCDIR/tests/guests/traced.c" | cut -d: -f1)" \
	"$(ask traced "select distinct line from write where function = 'bump'")"
is "threads" 3 "$(ask traced "select count(distinct task) from write
	where process = 1")"
like "the last row" "^e[0-9]+\\+0x[0-9a-f]+#1,-?[0-9]*,traced,bump,.*traced.c,[0-9]+,0,77," \
	"$("$p" trace traced --writes counter --csv | tail -n 1)"

# What the kernel wrote: also when it wrote the same.
run "$p" trace traced --writes line --csv
is "trace of what read() fills" 0 "$status"
is "by the kernel, at its calls" "read firs ,read firs same,read thir " \
	"$(ask traced "select string_agg(c.name || ' ' ||
	convert_from(substr(new, 1, 4), 'UTF8') || ' ' ||
	case when changed then '' else 'same' end, ',' order by w.seq)
	from write w join call c using (seq) where variable = 'line'
	and by_kernel" | tr -d '"')"

# A repeated instruction is one write of each 24 bytes; 40 is in the second.
run "$p" trace traced --writes block --json
is "trace of a block" 0 "$status"
is "its rows" "0 24,24 24,40 8,48 16" "$(ask traced "select string_agg(a, ','
	order by a) from (select distinct (addr - min(addr) over ()) || ' ' || len
	as a from write where variable = 'block') w" |
	tr -d '"')"

# ---- calls

run "$p" trace traced --calls "$calls" --csv
is "trace --calls: $(cat "$T/err")" 0 "$status"
ask traced "select repeat('.', depth) || function || '(' ||
	regexp_replace(regexp_replace(arguments, '0x[0-9a-f]+ ', '', 'g'),
	'\"[^\"]*traced\"', 'SELF') || ') = ' || coalesce(case when function =
	'forker' then 'PID' else result end, '-') || ' ' || ended || case when tail
	then ' tail' else '' end || ' ' || caller from function_call
	where function not in ('even', 'odd', 'outer', 'inner')
	order by seq, nth" | sed 's/^"//; s/"$//; s/""/"/g' >"$T/found"
cat >"$T/expected" <<'EOF'
.fact(n=5) = 120 returned calls
..fact(n=4) = 24 returned fact
...fact(n=3) = 6 returned fact
....fact(n=2) = 2 returned fact
.....fact(n=1) = 1 returned fact
.jumper(why="jump") = - unwound calls
.jumper(why="jump") = - unwound calls
.jumper(why="jump") = - unwound calls
.jumper(why="stay") = 4 returned calls
.mixed(x=1.5, name="A", s=-3, p={a = 2, b = 0.5}, c=7 '\x07') = 73 returned calls
.forker(n=1) = PID returned children
.last_words(status=3) = - died children
.become(self=SELF) = - executed children
EOF
same "calls, as they nest" "$T/expected" "$T/found"
is "calls by jumps return together" \
	"even 5,odd 4,even 3,odd 2,even 1,odd 0,outer 20,inner 21 ftttttft 2" \
	"$(ask traced "select string_agg(function || ' ' || args[1], ',' order by
	seq, nth) || ' ' || string_agg(left(tail::text, 1), '' order by seq, nth) || ' ' || count(distinct exit_pos) from function_call
	where function in ('even', 'odd', 'outer', 'inner')" | tr -d '"')"
is "coverage says: all of it" "13,t" "$(ask traced "select count(*),
	bool_and(from_seq = 0 and to_seq = (select max(seq) from event))
	from coverage")"

# A function of an assembler has lines, but neither arguments nor a type.
cat >"$T/twice.s" <<'EOF'
	.globl twice
	.type twice,@function
twice:	.cfi_startproc
	lea (%rdi,%rdi),%rax
	ret
	.cfi_endproc
	.size twice,.-twice
	.section .note.GNU-stack,"",@progbits
EOF
echo 'long twice(long); int main(void) { return twice(21) != 42; }' >"$T/twice.c"
# shellcheck disable=SC2086 # may be several words
if ${CC:-cc} -g -o "$T/twice" "$T/twice.c" "$T/twice.s" 2>/dev/null; then
	run "$p" record -q -n twice "$T/twice"
	run "$p" trace twice --calls twice --csv
	like "a function of an assembler" \
		"twice,\"0x15, 0x[^\"]*\",0x2a( [^,]*)?,returned,.*,main," \
		"$(cat "$T/out")"
fi

# ---- ranges

run "$p" record -q -n parts "$guest"
end=$(ask parts "select max(seq) from event")
mid=$(ask parts "select min(seq) from call where name = 'pipe2'
	or name = 'pipe'")
run "$p" trace parts --writes counter --from "e$mid" -q
is "the second part" "0 " "$status $(cat "$T/out" "$T/err")"
some=$(ask parts "select count(*) from write")
is "what it covers" "$mid,$end" "$(ask parts "select from_seq, to_seq
	from coverage")"
run "$p" trace parts --writes counter --to "e$((mid + 3))" -q
is "the rest" 0 "$status"
is "all of it, once" "1017 0,$end" "$(ask parts "select count(*) from write") \
$(ask parts "select from_seq, to_seq from coverage")"
holds "the parts have some each ($some)" [ "$some" -gt 900 -a "$some" -lt 1016 ]
run "$p" trace parts --writes counter -v -q
like "nothing is computed twice" "0 events looked at" "$(cat "$T/err")"
# A call that returns in another part than it began in.
open=$(ask parts "select min(seq) from event where kind = 9 and task > 1")
for range in "--from e$open" "--to e$open"; do
	# shellcheck disable=SC2086 # two words
	run "$p" trace parts --calls main,children,_exit -q $range
	is "calls, $range: $(cat "$T/err")" 0 "$status"
done
ask parts "select function, ended, exit_seq > seq from function_call
	order by process, function, seq" >"$T/found"
run "$p" trace traced --calls main,children,_exit -q
ask traced "select function, ended, exit_seq > seq from function_call
	where subject in ('main', 'children', '_exit')
	order by process, function, seq" >"$T/expected"
same "in parts as in one piece" "$T/expected" "$T/found"

# ---- interrupted

run "$p" record -q -n long "${TOP_BUILDDIR:-.}/tests/guests/traced_long"
(trap - INT; exec "$p" trace long --writes counter -q) &
pid=$!
wait_for '[ "$(ask long "select count(*) from coverage")" != 0 ]' ||
	fail "nothing is stored while it runs"
kill -INT "$pid"
wait "$pid"
is "status of what was interrupted" 130 $?
upto=$(ask long "select max(to_seq) from coverage")
end=$(ask long "select max(seq) from event")
holds "it covers a part ($upto of $end)" [ "$upto" -gt 0 -a "$upto" -lt "$end" ]
is "and has all of that part" "t" "$(ask long "select count(*) =
	max(new_value) from write where seq <= $upto")"
run "$p" trace long --writes counter -q
is "then the rest" 0 "$status"
is "all writes, once" "12000,12000" "$(ask long "select count(*), max(new_value)
	from write")"

# ---- mistakes, and the end of it

refuses 125 E_USAGE "what is to be traced" "$p" trace traced
refuses 125 E_USAGE "what is to be traced" "$p" trace traced --writes a --calls b
refuses 125 E_USAGE "no length" "$p" trace traced --writes counter,x
refuses 125 E_USAGE "no length" "$p" trace traced --writes counter,0
refuses 125 E_USAGE "no address" "$p" trace traced --writes 0xzz
refuses 125 E_USAGE "a name is missing" "$p" trace traced --calls a,,b
refuses 125 E_NOT_FOUND "has a variable 'nosuch'" \
	"$p" trace traced --writes nosuch
is "no trace of a mistake" 0 "$(ask traced "select count(*) from trace
	where subject = 'nosuch'")"
[ ! -x "$T/twice" ] || "$p" rm -q twice
run "$p" rm -q traced parts long
is "rm" 0 "$status"
run "$p" gc -q
is "gc" 0 "$status"
run "$p" record -q -n last true
is "nothing is left" "0,0,0" "$(ask last "select (select count(*) from
	pastime.traced_write), (select count(*) from pastime.traced_call),
	(select count(*) from pastime.coverage)")"
finish
