#!/bin/bash
# The program starts and says its version.
set -eu
[[ "$("$PASTIME" --version)" == "pastime "[0-9]* ]]
