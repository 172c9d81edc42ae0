#!/bin/bash
# Sessions of the real gdb on replays: gdb/NAME.gdb is a list of commands, its
# first line "# GUEST [OPTIONS]" says which recording, gdb/NAME.out is what gdb
# says. GDB_SESSIONS="NAME..." chooses some; GOLDEN=write writes the answers anew.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh" || exit
need gdb "${CC%% *}"
dir=${TOP_SRCDIR:-.}/tests/e2e/gdb
export HOME=$T LC_ALL=C DEBUGINFOD_URLS=

# What differs from run to run and from host to host; when gdb asks for the threads
# is its own affair.
normalise()
{
	local name='([A-Za-z_0-9]+|\?\?)'
	local libc='(at \.\.?\/[^ ]*|from target:\/(libc|ld-linux|lib(pthread|m))[^ ]*)'

	sed -E -e '/^Reading .* from remote target/d' \
		-e '/^Reading symbols from/d' \
		-e '/^warning: File transfers from remote/d' \
		-e '/^\[New Thread [0-9.]+\]$/d' \
		-e '/debuginfod/d' -e '/No debugging symbols found/d' \
		-e "s:$T/::g" -e 's:target\:/[^ ]*/:target\:/:' \
		-e 's/\b(Thread|process|LWP) [0-9]+(\.[0-9]+)?/\1 N/g' \
		-e 's/\b(pid=|attach )[0-9]+/\1N/g' \
		-e 's/^([* ]) +[0-9]{2,}  /\1 PID  /' \
		-e 's/0x[0-9a-f]{4,}/ADDR/g' \
		-e 's/\be[0-9]+\b/eN/g; s/(eN(\+ADDR(#[0-9]+)?)?) of [0-9]+/\1 of N/' \
		-e 's/^eN +[0-9]+ +/eN PID /' \
		-e 's:/[^ ]*/pastime-gdb\.[A-Za-z0-9]*/::' -e 's/ +/ /g' \
		-e '/^(ADDR\t)?[0-9]+\t(in )?\.\.?\//d' \
		-e "s/(ADDR in )?$name \\([^()]*\\) $libc/(libc)/" \
		-e 's/^#[1-9][0-9]*/#N/' \
		-e 's/ \((stopped|runnable|in [a-z_0-9]+)\) \(libc\)/ (libc)/' \
		-e '/^\+\+/d' -e 's/^\+/> /' -e 's/ $//'
}

session()
{
	local name=$1 guest options

	read -r _ guest options <"$dir/$name.gdb"
	# shellcheck disable=SC2086 # several words
	sed 1d "$dir/$name.gdb" | timeout 60 "$PASTIME" gdb $options "$guest" \
		-- -nx -iex 'set width 0' -iex 'set prompt' \
		-iex 'set confirm off' -ex 'set trace-commands on' \
		-iex 'set debug-file-directory /nonexistent' \
		>"$T/$name.raw" 2>&1
	status=$?
	normalise <"$T/$name.raw" >"$T/$name.out"
	if [ "${GOLDEN:-}" = write ]; then
		cp "$T/$name.out" "$dir/$name.out"
	elif ! cmp -s "$dir/$name.out" "$T/$name.out"; then
		fail "session $name (status $status)"
		diff -a "$dir/$name.out" "$T/$name.out"
	else
		pass
	fi
}

cd "$T" || exit
for source in "$dir"/*.c; do
	guest=$(basename "$source" .c)
	cp "$source" "$guest.c"
	# shellcheck disable=SC2086 # CC may have options
	${CC:-cc} -g -O0 -pthread -o "$guest" "$guest.c" 2>"$T/cc" ||
		fail "compiler: $(cat "$T/cc")"
	{
		"$PASTIME" record -q -n "$guest" "./$guest"
	} >/dev/null 2>&1
	# What was recorded serves, not what is there now.
	rm -f "$guest"
done
for script in "$dir"/*.gdb; do
	name=$(basename "$script" .gdb)
	[[ -n "${GDB_SESSIONS:-}" && " $GDB_SESSIONS " != *" $name "* ]] ||
		session "$name"
done
finish
