# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# A lint script prints, for each thing it checks, "ok NAME", "not ok NAME: why" or
# "skip NAME: why"; other lines are for the reader. It runs in the top folder, with O
# naming the folder of what was built.
set -u
: "${O:=build}"

# Files of the tree, one a line: what git would commit, or all of an unpacked release.
tree_files() {
	{
		git -c safe.directory="$PWD" ls-files -co --exclude-standard 2>/dev/null | grep . ||
			find . \( -path ./.git -o -name __pycache__ \) -prune -o -type f -print | sed 's|^\./||'
	} | grep -v "^${O%/}/"
}

existing() {
	while read -r file; do
		[ ! -s "$file" ] || echo "$file"
	done
}

# verdict NAME FINDINGS: no findings, no problem
verdict() {
	if [ -z "$2" ]; then
		echo "ok lint $1"
	else
		echo "$2"
		echo "not ok lint $1: $(echo "$2" | wc -l) findings"
	fi
}
