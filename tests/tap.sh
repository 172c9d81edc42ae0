#!/bin/sh
# Run a Criterion program so that it reports by TAP.
exec "$1" --tap
