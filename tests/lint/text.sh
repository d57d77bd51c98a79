#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Text files carry no trace of the machine they were written on.
. tests/lint/lib.sh

texts=$(tree_files | existing | grep -Ev '^tests/(fuzz/corpus|replay)/.*[^h]$')

# shellcheck disable=SC2086
verdict whitespace "$(grep -InE '[[:blank:]]+$' $texts)"

homes='/(home|Users)/[a-z][a-z0-9_-]*/|[^a-z.]/root/'
set -- -e "$PWD/"
above=$(dirname "$PWD")/
case $above in
// | /home/ | /opt/ | /root/ | /srv/ | /tmp/ | /usr/src/ | /var/tmp/ | /mnt/) ;;
*) set -- "$@" -e "$above" ;;
esac
# shellcheck disable=SC2086
verdict machine-paths "$(
	grep -InE "$homes" $texts | grep -v '^tests/lint/text.sh:'
	grep -InF "$@" $texts
)"
