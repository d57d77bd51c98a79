#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Each header compiles alone: it includes what it uses.
. tests/lint/lib.sh

# compiles FLAGS_FILE HEADER...: with the command that built the rest
compiles() {
	local command
	eval "command=($(cat "$1"))"
	shift
	printf '#include "%s"\n' "$@" | "${command[@]}" -w -fsyntax-only -x c - 2>&1 | grep -m 1 'error:'
}

if [ ! -e "$O/.host-flags" ] || [ ! -e "$O/.bpf-flags" ]; then
	echo "skip lint headers: nothing is built"
	exit
fi
verdict headers "$(
	for header in include/*.h user/*/*.h user/core/*/*.h; do
		[ ! -s "$header" ] || compiles "$O/.host-flags" "$header"
	done
	# A BPF program begins with its kernel's types.
	for header in include/wire.h include/live.h include/control.h bpf/*.h; do
		[ ! -s "$header" ] || compiles "$O/.bpf-flags" vmlinux.h "$header"
	done
)"
