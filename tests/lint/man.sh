#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
. tests/lint/lib.sh

pages=$(ls user/share/man/*.[1-8] 2>/dev/null)
if [ -z "$pages" ]; then
	echo "skip lint man: no manual"
elif ! command -v mandoc >/dev/null; then
	echo "skip lint man: needs mandoc"
else
	# shellcheck disable=SC2086
	verdict man "$(mandoc -Tlint -Wwarning $pages 2>&1)"
fi
