#!/bin/bash
# Job control, the terminal's keys and signals are the same with and without
# pastime: see jobctl.py.
# shellcheck source=lib.sh
. "${TOP_SRCDIR:-.}/tests/e2e/lib.sh"
need python3 perl

# The server is up before anything is timed by a terminal.
"$PASTIME" record -q true || fail "record true"
holds "job control as without pastime" \
	python3 "${TOP_SRCDIR:-.}/tests/e2e/jobctl.py" "$PASTIME"
finish
