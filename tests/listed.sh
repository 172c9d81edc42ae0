#!/bin/bash
# A test, guest or source that no list names is never built or run, and is
# missing from the tarball.
set -eu
cd "$TOP_SRCDIR"

failed=0
lists=$(cat Makefile.am ./*/*.am tests/*/*.am sql/fdw/*.am)
for file in */*.[chS] sql/fdw/*.[ch] */*.def tests/unit/*.[ch] tests/guests/*.[ch] \
	tests/fuzz/*.[ch] tests/*.sh tests/e2e/*.sh sql/*.sql man/*.[1-9] docs/*.md examples/*; do
	[ -f "$file" ] || continue
	case $file in
	build*/*) continue ;;
	tests/guests/* | tests/fuzz/*) name=${file%.c} ;;
	*) name=$file ;;
	esac
	grep -qE "(^|[[:space:]])${name//./[.]}([[:space:]]|\$)" <<<"$lists" ||
		{ echo "$file is in no list"; failed=1; }
done
exit $failed
