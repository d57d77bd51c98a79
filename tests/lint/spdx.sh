#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
. tests/lint/lib.sh

verdict spdx "$(
	tree_files | existing |
		grep -E '(\.(c|h|sh|py|js|mjs|cjs|rb|mk|bash|yml|service|[1-8])|(^|/)Makefile|^\.ci/run)$' |
		grep -v '^tests/fuzz/corpus/' |
		while read -r file; do
			case $file in
			bpf/* | vmlinux.h | include/wire.h | include/live.h | include/control.h) licence='GPL-2.0-only OR BSD-2-Clause' ;;
			*) licence='BSD-2-Clause' ;;
			esac
			head -n 2 "$file" | grep -Eq "SPDX-License-Identifier: $licence( \*/)?\$" ||
				echo "$file: the first two lines lack SPDX-License-Identifier: $licence"
		done
)"
