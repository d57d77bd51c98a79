#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
#   tests/fuzz.sh O NAME SECONDS [smoke]
#
# Runs the fuzzer O/fuzz/NAME on its seeds, tests/fuzz/corpus/ without "fuzz_" in the
# name, and then on what it makes of them. What it finds new is kept below O for the next
# run, and thrown away after a smoke test. A failing input is left in O/fuzz/found/.
set -eu
o=$1 name=$2 seconds=$3 mode=${4:-}
short=${name#fuzz_}
found=$o/fuzz/found/

set -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
	-artifact_prefix="$found$name-"
[ ! -e "tests/fuzz/$short.dict" ] || set -- "$@" -dict="tests/fuzz/$short.dict"

mkdir -p "$found"
if [ "$mode" = smoke ]; then
	new=$(mktemp -d)
	trap 'rm -rf "$new"' EXIT
	trap 'exit 130' INT TERM
else
	new=$o/fuzz/corpus/$short
	mkdir -p "$new"
fi
set -- "$@" "$new"
[ ! -d "tests/fuzz/corpus/$short" ] || set -- "$@" "tests/fuzz/corpus/$short"

log=$o/fuzz/$name.log
if "$o/fuzz/$name" "$@" >"$log" 2>&1 </dev/null; then
	echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs in ${seconds}s"
else
	tail -n 60 "$log"
	exit 1
fi
