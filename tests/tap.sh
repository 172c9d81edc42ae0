#!/bin/sh
# Run a Criterion program so that it reports by TAP, with a limit.
exec timeout -k 10 "${TEST_TIMEOUT:-600}" "$1" --tap
