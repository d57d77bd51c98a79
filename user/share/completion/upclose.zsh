#compdef upclose
# SPDX-License-Identifier: BSD-2-Clause
#
# Completion for zsh. Commands and options are those that the program's help names.

local -a found
local program=$words[1] command=$words[2] before=$words[CURRENT-1]

if (( CURRENT == 2 )); then
	found=(${(f)"$($program --help 2>/dev/null | sed -n 's/^  \([a-z]*\)  *\([a-z].*\)/\1:\2/p')"})
	_describe command found
elif [[ $before == -o || $before == --output ]]; then
	case $command in
	report) compadd md html ;;
	check) compadd text json sarif ;;
	hooks | probe) compadd text json ;;
	*) compadd text table json ;;
	esac
elif [[ $PREFIX == -* ]]; then
	compadd -- ${(f)"$($program $command --help 2>/dev/null | grep -oE -- '^ +(-[A-Za-z], |    )?--[a-z-]+' | grep -oE -- '--[a-z-]+')"}
else
	_files
fi
