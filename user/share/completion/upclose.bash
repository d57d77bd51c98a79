# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Completion for bash. Commands and options are those that the program's help names, so
# that they are those of the version that is installed.

_upclose_options() {
	"$1" "$2" --help 2>/dev/null | grep -oE -- '^ +(-[A-Za-z], |    )?--[a-z-]+' | grep -oE -- '--[a-z-]+'
}

_upclose_commands() {
	"$1" --help 2>/dev/null | sed -n 's/^  \([a-z]*\)  *[a-z].*/\1/p'
}

_upclose() {
	local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local words=

	if [ "$COMP_CWORD" -eq 1 ]; then
		words="$(_upclose_commands "$program") --help --version"
	elif [ "$before" = -o ] || [ "$before" = --output ]; then
		case ${COMP_WORDS[1]} in
		report) words='md html' ;;
		check) words='text json sarif' ;;
		hooks | probe) words='text json' ;;
		*) words='text table json' ;;
		esac
	elif [ "${word:0:1}" = - ]; then
		words=$(_upclose_options "$program" "${COMP_WORDS[1]}")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -o filenames -F _upclose upclose
