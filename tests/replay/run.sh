#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
#   tests/replay/run.sh [--update] UPCLOSE
#
# Replays each recording of this folder and compares what is printed with the files
# beside it: NAME.json for all of them, NAME.txt where the text matters too, NAME.md and
# NAME.html where its report does, be it made of the recording or of its JSON. --update
# writes these files instead; look at what `git diff` says then. record.py makes the
# recordings themselves.
set -u

update=
if [ "${1:-}" = --update ]; then
	update=1
	shift
fi
if [ $# -ne 1 ]; then
	echo "usage: $0 [--update] UPCLOSE" >&2
	exit 2
fi
upclose=$1
here=$(dirname "$0")
export TZ=UTC0 LC_ALL=C NO_COLOR=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# An object of JSON is one long line.
fields() { sed 's/,"/,\n"/g'; }

# compare NAME FORMAT FILE COMMAND...
compare() {
	local name=$1 format=$2 file=$3 status
	shift 3
	"$upclose" "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
	if [ $status -ne 0 ] || [ -s "$work/err" ]; then
		cat "$work/err"
		echo "not ok $name $format: exit status $status"
		failed=1
	elif [ -n "$update" ]; then
		cp "$work/out" "$file"
		echo "ok $name $format # written"
	elif [ ! -e "$file" ]; then
		echo "not ok $name $format: there is no $file"
		failed=1
	elif ! cmp -s "$file" "$work/out"; then
		diff <(fields <"$file") <(fields <"$work/out") | head -n 20
		echo "not ok $name $format: the output differs"
		failed=1
	else
		echo "ok $name $format"
	fi
}

for recording in "$here"/*.rec; do
	name=$(basename "$recording" .rec)
	compare "$name" json "$here/$name.json" replay -o json --all "$recording"
	[ ! -e "$here/$name.txt" ] || compare "$name" text "$here/$name.txt" replay -o text --all "$recording"
	for format in md html; do
		[ -e "$here/$name.$format" ] || continue
		cp "$here/$name.json" "$work/$name.rec"
		compare "$name" $format "$here/$name.$format" report -o $format "$recording"
		compare "$name, from JSON," $format "$here/$name.$format" report -o $format "$work/$name.rec"
	done
done
exit $failed
