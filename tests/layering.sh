#!/bin/bash
# Every #include "folder/file.h" must be an edge of the architecture, and a
# library's headers stay in the folder that owns the library.
set -eu
cd "$TOP_SRCDIR"

# FOLDER: what it may include, besides itself.
edges='
base:
event:base
agent:
sym:event base
tracee:sym event base agent/abi.h agent/blob.h agent/stub.h
recorder:tracee sym/lines.h event base agent/abi.h agent/blob.h agent/calls.def
replayer:tracee sym event base agent/abi.h agent/blob.h
store:event base
gdb:replayer/target.h replayer/target_divert.h replayer/target_sym.h sym event base
tui:replayer/target.h replayer/target_sym.h store/query.h sym event base
cli:recorder replayer gdb tui store sym event base tracee/spawn.h tracee/probe.h agent/abi.h
sql:event base
tools:event base agent tui/keys.h
bench:store/store.h store/query.h replayer/replayer.h replayer/target.h event base
examples:
tests:
'

# FOLDER: extended regular expression for the headers it alone may include.
owned='
store:libpq-fe[.]h|libpq/|postgres_ext[.]h|libpq-events[.]h
tui:n?curses[.]h|ncursesw?/|panel[.]h|term[.]h
sym:Zydis/|Zycore/|capstone/|libunwind.*[.]h|elfutils/|dwarf[.]h|libelf[.]h|gelf[.]h
tracee:sys/ptrace[.]h|linux/ptrace[.]h|linux/seccomp[.]h|linux/filter[.]h|linux/audit[.]h
sql:postgres[.]h|fmgr[.]h|(access|catalog|commands|executor|foreign|nodes|optimizer|utils)/
tests:criterion/
'

folders=$(sed -n 's/:.*//p' <<<"$edges")
# shellcheck disable=SC2086 # one word per folder
find $folders -type f \( -name '*.[chS]' -o -name '*.def' -o -name '*.inc' \) \
	-print 2>/dev/null | sort | xargs awk -v edges="$edges" -v owned="$owned" '
BEGIN {
	n = split(edges, line, "\n")
	for (i = 1; i <= n; i++) {
		split(line[i], part, ":")
		m = split(part[2], goal, " ")
		for (j = 1; j <= m; j++)
			may[part[1], goal[j]] = 1
	}
	n = split(owned, line, "\n")
	for (i = 1; i <= n; i++) {
		if (!split(line[i], part, ":"))
			continue
		owner[part[1]] = "^(" part[2] ")"
	}
}

# Guests are programs of their own: they share guest.h beside them.
FILENAME ~ "^tests/guests/" { next }

# A unit test or fuzzer counts as part of the folder that it tests.
FNR == 1 {
	folder = FILENAME
	sub("/.*", "", folder)
	home = folder
	tested = ""
	# A driver that joins recorder and replayer, as a command does.
	if (FILENAME ~ /^tools\/(rr_smoke|pos_check|move_check|survey_check|check)[.][ch]$/)
		folder = "cli"
	# One that looks at the processes of a replay.
	if (FILENAME ~ /^tools\/(back|stored)_check[.]c$/)
		folder = "replayer"
	# A driver of one part alone.
	if (FILENAME == "tools/point_check.c")
		folder = "tracee"
	if (FILENAME ~ "^tests/(unit|fuzz)/") {
		tested = FILENAME
		sub("^tests/[a-z]*/", "", tested)
		sub("_.*", "", tested)
	}
}

function bad(why) {
	printf "%s:%d: %s: %s\n", FILENAME, FNR, why, $0
	failed = 1
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, q, "\"")
	file = q[2]
	to = file
	if (!sub("/.*", "", to)) {
		if (file != "config.h" || folder == "agent")
			bad("not written \"folder/file.h\"")
		next
	}
	from = tested ? tested : folder
	if (to != home && to != folder && to != from && !((from, to) in may) \
	    && !((from, file) in may))
		bad(from " may not include " to)
}

/^[ \t]*#[ \t]*include[ \t]*</ {
	split($0, q, "[<>]")
	for (who in owner)
		if (q[2] ~ owner[who] && folder != who && tested != who)
			bad("belongs to " who)
}

END { exit failed }
'
