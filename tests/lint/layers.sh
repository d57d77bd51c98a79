#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Includes go down: a folder of user/ sees include/, itself and the folders before it
# in this list. The Makefile links one archive a folder in the opposite order.
. tests/lint/lib.sh

layers='base core source engine nginx output probe config alert check daemon cmd'

verdict layers "$(
	ls user/*.[ch] 2>/dev/null | sed 's/$/: a source belongs in one of the folders/'
	for folder in user/*/; do
		folder=$(basename "$folder")
		case " $layers share " in
		*" $folder "*) ;;
		*) echo "user/$folder: not in the list of layers" ;;
		esac
	done
	below=' '
	for layer in $layers; do
		below="$below$layer "
		grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "user/$layer" --include='*.[ch]' | while IFS= read -r line; do
			name=$(echo "$line" | sed 's/[^"]*"\([^"]*\)".*/\1/')
			case $name in
			*/*)
				case $below in
				*" ${name%%/*} "*) ;;
				*) echo "$line: $layer is below ${name%%/*}" ;;
				esac
				;;
			*.skel.h | *.inc) ;;
			*) [ -e "include/$name" ] || echo "$line: name it from user/ on" ;;
			esac
		done
	done
)"
