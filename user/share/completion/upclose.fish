# SPDX-License-Identifier: BSD-2-Clause
#
# Completion for fish. Commands and options are those that the program's help names.

function __upclose_commands
	upclose --help 2>/dev/null | string replace -rf '^  ([a-z]+)  *([a-z].*)' '$1\t$2'
end

function __upclose_options
	set -l words (commandline -opc)
	upclose $words[2] --help 2>/dev/null | string replace -rf '^ +(?:-[A-Za-z], |    )?(--[a-z-]+)(?: [A-Z]+)?  *(.*)' '$1\t$2'
end

complete -c upclose -f -n 'test (count (commandline -opc)) -eq 1' -a '(__upclose_commands)'
complete -c upclose -n 'test (count (commandline -opc)) -gt 1; and string match -q -- "-*" (commandline -ct)' -a '(__upclose_options)'
for format in text table json md html sarif
	complete -c upclose -f -n 'contains -- (commandline -opc)[-1] -o --output' -a $format
end
