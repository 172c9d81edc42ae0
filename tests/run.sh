#!/bin/sh
# Run one script test, with a limit, so that a hang is a failure.
exec timeout -k 10 "${TEST_TIMEOUT:-600}" bash "$1"
