#!/bin/bash
# A file has at most 800 lines, a header 200, a function 80 between its
# braces. A file that holds nothing but tables says so: /* limits: table */.
set -eu
cd "$TOP_SRCDIR"

find base event agent tracee recorder store replayer sym tui gdb cli sql \
	tools bench examples tests setup .ci -type f \
	\( -name '*.[chS]' -o -name '*.def' -o -name '*.sh' -o -name '*.sql' \
	-o -name '*.am' -o -name setup -o -name run \) -print 2>/dev/null |
	sort | xargs awk '
function check_file() {
	max = file ~ /[.]h$/ ? 200 : 800
	if (file != "" && lines > max && !table) {
		printf "%s: %d lines, at most %d\n", file, lines, max
		failed = 1
	}
	if (start) {
		printf "%s:%d: a function without end\n", file, start
		failed = 1
	}
}

FNR == 1 {
	check_file()
	file = FILENAME
	table = start = 0
	name = ""
	code = file ~ /[.][ch]$/
}

{ lines = FNR }
/limits: table/ { table = 1 }
!code { next }
!start && /^[A-Za-z_].*[(]/ { name = $0 }

/^[{]/ {
	start = FNR
	next
}

/^[}]/ && start {
	if (FNR - start - 1 > 80) {
		printf "%s:%d: %d lines, at most 80: %s\n", file, start,
			FNR - start - 1, name
		failed = 1
	}
	start = 0
}

END {
	check_file()
	exit failed
}
'
