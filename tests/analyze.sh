#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
#   tests/analyze.sh FLAGS SOURCE...
#
# clang's analyzer, clang-tidy (see .clang-tidy) and cppcheck over the program's sources.
set -u
: "${CLANG:=clang}" "${CLANG_TIDY:=clang-tidy}"
read -ra flags <<<"$1"
shift
status=0

echo "== clang --analyze"
for source in "$@"; do
	"$CLANG" --analyze --analyzer-output text -Xclang -analyzer-werror "${flags[@]}" "$source" || status=1
done

if command -v "$CLANG_TIDY" >/dev/null; then
	echo "== clang-tidy"
	# One process for each file: version 14 takes a second file's va_list for uninitialized.
	printf '%s\0' "$@" | xargs -0 -P "$(nproc)" -I FILE "$CLANG_TIDY" --quiet FILE -- "${flags[@]}" 2>&1 |
		grep -v ' warnings\? generated\.$'
	[ "${PIPESTATUS[1]}" -eq 0 ] || status=1
else
	echo "== clang-tidy is not installed"
fi

if command -v cppcheck >/dev/null; then
	echo "== cppcheck"
	# missingIncludeSystem: cppcheck is not meant to see the system's headers.
	# The skeleton is bpftool's code, and libbpf's macro must be explained.
	cppcheck --quiet --std=c11 --language=c --error-exitcode=1 --inline-suppr -j "$(nproc)" \
		--enable=warning,performance,portability \
		--suppress=missingIncludeSystem --suppress='*:*/upclose.skel.h' \
		-D'LIBBPF_OPTS(type, name, ...)=struct type name = { .sz = sizeof(struct type), __VA_ARGS__ }' \
		-Iinclude -Iuser "$@" || status=1
else
	echo "== cppcheck is not installed"
fi
exit $status
