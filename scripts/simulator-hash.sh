#!/usr/bin/env bash
# The simulator as the catalogue uses it: a hash of its sources and of the parameters of the catalogue's world (bench/tasks.sh).
# It is frozen: examples/tasks/simulator.hash holds it, each stored result names it, and tests/cli_tasks.sh compares. A change
# to the simulator makes every stored result on it void: measure all anew, then write the new hash.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
{
    sha256sum src/data/simulate*.c src/data/simulate*.h
    echo "events 400000 days 180 seed 1"
} | sha256sum | cut -c1-16
