#!/bin/bash
# make check-long: what takes too long for every commit, or needs tools that
# few have. Each part says when it cannot run.
set -u
cd "$TOP_BUILDDIR" || exit 1
failed=0

part()
{
	printf '\n==== %s\n' "$1"
	shift
	"$@" && return
	echo "failed: $*"
	failed=1
}

have()
{
	command -v "$1" >/dev/null || { echo "$1 is not installed"; return 1; }
}

# Not those that trace: valgrind does not follow ptrace and seccomp.
under_valgrind()
{
	local folder ok=0

	for folder in base event store sym gdb tui cli; do
		[ -x "test_$folder" ] || continue
		echo "test_$folder"
		valgrind -q --leak-check=full --show-leak-kinds=definite \
			--errors-for-leak-kinds=definite --error-exitcode=9 \
			--child-silent-after-fork=no "./test_$folder" \
			--timeout=300 || ok=1
	done
	return "$ok"
}

with_cppcheck()
{
	(cd "$TOP_SRCDIR" && cppcheck -q --std=c11 -D_GNU_SOURCE -I. \
		--enable=warning,portability,performance --inline-suppr \
		--suppress=missingInclude --error-exitcode=1 base event tracee \
		recorder store replayer sym tui gdb cli)
}

with_clang_tidy()
{
	local checks='-*,bugprone-*,-bugprone-easily-swappable-parameters'

	checks+=',-bugprone-reserved-identifier,-bugprone-macro-parentheses'
	checks+=',-bugprone-narrowing-conversions'
	checks+=',-bugprone-assignment-in-if-condition'
	checks+=',-bugprone-implicit-widening-of-multiplication-result'
	# shellcheck disable=SC2086 # CPPFLAGS are words
	find "$TOP_SRCDIR"/{base,event,tracee,recorder,store,replayer} \
		"$TOP_SRCDIR"/{sym,tui,gdb,cli} -name '*.c' -print0 |
		xargs -0 -n 8 -P "$(nproc)" sh -c 'checks=$1; flags=$2; shift 2
			clang-tidy --quiet --warnings-as-errors="*" \
			--checks="$checks" "$@" -- -std=gnu17 $flags \
			2>/dev/null' sh "$checks" "$CPPFLAGS"
}

# Built by ./configure CC=clang --enable-fuzz.
fuzz()
{
	local program ok=0

	for program in tests/fuzz/*_fuzz; do
		[ -x "$program" ] || {
			echo "no fuzzers here: --enable-fuzz"
			return 0
		}
		echo "$program"
		"$program" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 \
			-verbosity=0 || ok=1
	done
	return "$ok"
}

# Sanitizers and valgrind do not go together.
if [ -z "${SANITIZE:-}" ] && have valgrind; then
	part "valgrind: unit tests" under_valgrind
fi
have cppcheck && part "cppcheck" with_cppcheck
have clang-tidy && part "clang-tidy" with_clang_tidy
part "fuzzers" fuzz
exit $failed
