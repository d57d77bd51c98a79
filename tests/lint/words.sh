#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# What people read is plain English: user/README.md, "How it speaks".
. tests/lint/lib.sh

worst="(^|[^a-z])(mend|mends|mended|anew|all year round|by its code|was not tried|more talk|is talk|is said again|said again|be told|tells? (why|of|which)|told by)([^a-z]|\$)"
sources=$(tree_files | existing | grep -E '^user/.*\.[ch]$')
pages=$(tree_files | existing | grep -E '^(README\.md|user/share/man/[^/]*|user/share/upclose\.yaml)$')

# Only what stands between quotes, as comments speak to other readers.
# shellcheck disable=SC2086
verdict words "$(
	grep -InE '"' $sources | grep -vE '#include|^[^:]*:[0-9]*:[[:blank:]]*(/?\*|//)' | grep -E "\"[^\"]*$worst"
	grep -InE "$worst" $pages
)"
