#!/bin/bash
# pastime trace -j: several processes find what one finds, row by row; and
# functions with many addresses.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"
need "${CC%% *}"

p=$PASTIME

ask()
{
	"$p" sql --csv "$@" 2>>"$T/said" | sed '1d; s/\r$//'
}

# What is stored of a recording, in order; then nothing is left of it.
# take REC TABLE
take()
{
	local table

	ask "$1" "select * from pastime.$2 where recording = pastime.rec()
		order by trace, seq, nth, task"
	ask "$1" "select trace, from_seq, to_seq from coverage order by 1, 2"
	for table in traced_write traced_call coverage trace; do
		ask "$1" "delete from pastime.$table
			where recording = pastime.rec()"
	done
}

# agree REC TABLE N OPTIONS...: with one process and with others, N rows at least
agree()
{
	local rec=$1 table=$2 rows=$3 jobs

	shift 3
	run "$p" trace "$rec" -q -j 1 "$@"
	is "trace $rec $*: $(cat "$T/err")" 0 "$status"
	take "$rec" "$table" >"$T/one"
	holds "rows of: $* ($(wc -l <"$T/one"))" \
		[ "$(wc -l <"$T/one")" -ge "$rows" ]
	for jobs in 3 11; do
		run "$p" trace "$rec" -q -v -j $jobs "$@"
		is "trace $rec -j $jobs $*: $(cat "$T/err")" 0 "$status"
		like "it was divided" '[1-9][0-9]* parts, ' "$(cat "$T/err")"
		cat "$T/err" >>"$T/parts"
		take "$rec" "$table" >"$T/several"
		same "$rec, -j $jobs: $*" "$T/one" "$T/several"
	done
}

run "$p" record -q -n traced "${TOP_BUILDDIR:-.}/tests/guests/traced"
is "record: $(cat "$T/err")" 0 "$status"
calls=fact,jumper,even,odd,outer,inner,mixed,forker,last_words,become
agree traced traced_write 1000 --writes counter
agree traced traced_write 4 --writes block
agree traced traced_call 21 --calls "main,children,$calls" --from e20
run "$p" index -q --every 0 traced
is "index: $(cat "$T/err")" 0 "$status"
agree traced traced_write 3 --writes line
agree traced traced_call 21 --calls "$calls"

# What is missing before that is one part, and what is missing behind it is
# several: those do not go on with the replay of the one.
run "$p" trace traced -q -j 3 --writes line --from e1 --to e9
is "a part in the middle: $(cat "$T/err")" 0 "$status"
run timeout 100 "$p" trace traced -q -v -j 3 --writes line
is "what is before and behind it: $(cat "$T/err")" 0 "$status"
like "it was divided" '[1-9][0-9]* parts, ' "$(cat "$T/err")"

# b is left by longjmp while a is open; who begins in a does not know a, takes b
# for open when c is called deeper, and has to look once more.
cat >"$T/left.c" <<'EOF'
#define _GNU_SOURCE
#include <setjmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

static jmp_buf env;

static void
events(int n)
{
	while (n-- > 0)
		syscall(SYS_getppid);
}

NOINLINE void
c(int n)
{
	events(n);
}

NOINLINE void
deep(int n)
{
	volatile char room[512];

	room[0] = (char)n;
	if (n)
		deep(n - 1);
	else
		c(3);
	room[1] = room[0];
}

NOINLINE void
b(void)
{
	events(2);
	longjmp(env, 1);
}

NOINLINE void
a(void)
{
	events(300);
	if (!setjmp(env)) {
		b();
		events(1);
	}
	events(20);
}

int
main(void)
{
	a();
	for (int i = 0; i < 30; i++) {
		events(1);
		deep(20);
	}
	return 0;
}
EOF
${CC:-cc} -g -O0 -o "$T/left" "$T/left.c" || fail "cannot compile"
run "$p" record -q -n left "$T/left"
agree left traced_call 32 --calls a,b,c
like "a part was looked at once more" ' [1-9][0-9]* parts once more' \
	"$(tail -n 4 "$T/parts")"

# ---- many addresses

cat >"$T/twin.c" <<'EOF'
int
twin(int n)
{
	return n + 1;
}
EOF
cat >"$T/twins.c" <<'EOF'
#include <dlfcn.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
	int sum = 0;

	for (int i = 1; i < argc; i++) {
		void *lib = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
		int (*twin)(int) = lib ? (int (*)(int))dlsym(lib, "twin") : 0;

		if (!twin)
			return 1;
		sum += twin(i);
	}
	printf("%d\n", sum);
	return 0;
}
EOF
if ${CC:-cc} -g -O0 -shared -fPIC -o "$T/twin.so" "$T/twin.c" &&
	${CC:-cc} -g -O0 -o "$T/twins" "$T/twins.c" -ldl; then
	libraries=()
	for i in $(seq 100 149); do
		cp "$T/twin.so" "$T/twin$i.so"
		libraries+=("$T/twin$i.so")
	done
	run "$p" record -q -n some "$T/twins" "${libraries[@]:0:38}"
	is "a program with 38 libraries: $(cat "$T/err")" 0 "$status"
	run "$p" trace some --calls twin --csv
	is "the calls of all: $(cat "$T/err")" 39 "$(wc -l <"$T/out")"
	is "each with its argument" "741 38" "$(ask some "select
		sum(args[1]) || ' ' || count(distinct module)
		from function_call" | tr -d '"')"
	run "$p" record -q -n many "$T/twins" "${libraries[@]}"
	is "one with 50: $(cat "$T/err")" 0 "$status"
	refuses 125 E_UNSUPPORTED "more than 40 addresses" \
		"$p" trace many --calls twin
	run "$p" trace many --calls twin149.so:twin --csv
	is "one of them" 2 "$(wc -l <"$T/out")"
else
	fail "cannot compile"
fi

# ---- interrupted

run "$p" record -q -n long "${TOP_BUILDDIR:-.}/tests/guests/traced_long"
(trap - INT; exec "$p" trace long --writes counter -q -j 3) &
pid=$!
wait_for '[ "$(pgrep -c -P $pid)" -ge 3 ]' || fail "there are no processes"
children=$(pgrep -P $pid)
kill -INT "$pid"
wait "$pid"
is "status of what was interrupted" 130 $?
for child in $children; do
	holds "no process is left" wait_for "! alive $child"
done
run "$p" trace long --writes counter -q -j 3
is "then all of it: $(cat "$T/err")" 0 "$status"
is "all writes, once" "12000,12000" "$(ask long "select count(*), max(new_value)
	from write")"
refuses 125 E_USAGE "at most 64" "$p" trace traced --writes counter -j 65
finish
