#!/bin/bash
# groff has nothing to say about our manual pages.
set -u
command -v groff >/dev/null || { echo "no groff"; exit 77; }

failed=0
for page in "$TOP_SRCDIR"/man/*.[1-9] "$TOP_BUILDDIR"/man/*.[1-9]; do
	[ -f "$page" ] || continue
	said=$(groff -man -ww -z -Tutf8 -Kutf8 -rLL=80n "$page" 2>&1) || failed=1
	[ -z "$said" ] || failed=1
	[ -z "$said" ] || printf '%s\n' "$said"
done
exit $failed
