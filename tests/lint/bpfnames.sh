#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The kernel cuts the names of programs and maps after 15 characters.
. tests/lint/lib.sh

for source in bpf/*.bpf.c; do
	skeleton=$O/$(basename "$source" .bpf.c).skel.h
	if [ ! -e "$skeleton" ]; then
		echo "skip lint bpf-names: $skeleton is not built"
		exit
	fi
	skeletons="${skeletons:-} $skeleton"
done
# shellcheck disable=SC2086 # words
verdict bpf-names "$(sed -n 's/^\t*struct bpf_\(map\|program\) \*\([A-Za-z0-9_]*\);$/\2 \1/p' $skeletons | sort -u |
	awk 'length($1) > 15 { print "the name of the " $2 " " $1 " has " length($1) " characters, the kernel keeps 15" }')"
