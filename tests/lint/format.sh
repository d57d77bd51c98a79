#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# One version of clang-format decides, since each formats a little differently.
. tests/lint/lib.sh

version=14
for tool in "clang-format-$version" clang-format; do
	"$tool" --version 2>/dev/null | grep -q "version $version\." && break
	tool=
done
if [ -z "$tool" ]; then
	echo "skip lint format: needs clang-format $version"
	exit
fi
verdict format "$(
	tree_files | existing | grep '\.[ch]$' | grep -v '^tests/fuzz/corpus/' | while read -r file; do
		"$tool" "$file" | cmp -s - "$file" || echo "$file: make format would change it"
	done
)"
