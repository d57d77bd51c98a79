#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
. tests/lint/lib.sh

scripts=$(tree_files | existing | grep -E '\.(sh|bash)$|^\.ci/run$')

verdict shell-syntax "$(for script in $scripts; do bash -n "$script" 2>&1; done)"

if command -v shellcheck >/dev/null; then
	# shellcheck disable=SC2086
	verdict shellcheck "$(shellcheck -S warning -f gcc $scripts 2>&1)"
else
	echo "skip lint shellcheck: not installed"
fi
