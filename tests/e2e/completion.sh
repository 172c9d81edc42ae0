#!/bin/bash
# The bash completion offers commands, options, recordings and words.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"

mkdir "$T/bin"
ln -s "$PASTIME" "$T/bin/pastime"
PATH=$T/bin:$PATH
"$PASTIME" record -q -n first true || fail "record"
# shellcheck source=../../completions/pastime.bash
. "${TOP_SRCDIR:-.}/completions/pastime.bash"

# offers EXPECTED WORD...: what is offered for the last word
offers()
{
	local want=$1

	shift
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMP_LINE="$*"
	COMP_POINT=${#COMP_LINE}
	COMPREPLY=()
	_pastime
	is "completion of: $*" "$want" "${COMPREPLY[*]}"
}

offers "record replay" pastime re
offers "--help" pastime --h
offers "--checksum" pastime record --che
offers "--errors" pastime show --er
offers "1 first" pastime replay ""
offers "first" pastime show --errors f
offers "start" pastime replay --at st
offers "1 first" pastime gdb ""
offers "status start stop" pastime db st
offers "record replay" pastime help re
offers "schema" pastime help sch
finish
