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
generated=${O:-build}
status=0

# skeleton SOURCE WORDS: the words for a source that includes the skeleton, whose generated
# code leaks memory where it runs out of memory.
skeleton() {
	if grep -q '\.skel\.h"' "$1"; then
		echo "${@:2}"
	fi
}

echo "== clang --analyze"
for source in "$@"; do
	# shellcheck disable=SC2046 # words, or none
	"$CLANG" --analyze --analyzer-output text -Xclang -analyzer-werror $(skeleton "$source" -Xclang -analyzer-disable-checker=unix.Malloc) \
		"${flags[@]}" "$source" || status=1
done

if command -v "$CLANG_TIDY" >/dev/null; then
	echo "== clang-tidy"
	# One process for each file: version 14 takes a second file's va_list for uninitialized.
	for source in "$@"; do
		# shellcheck disable=SC2046
		"$CLANG_TIDY" --quiet $(skeleton "$source" --checks=-clang-analyzer-unix.Malloc) "$source" -- "${flags[@]}" 2>&1 |
			grep -v ' warnings\? generated\.$'
		[ "${PIPESTATUS[0]}" -eq 0 ] || status=1
	done
else
	echo "== clang-tidy is not installed"
fi

if command -v cppcheck >/dev/null; then
	echo "== cppcheck"
	# missingIncludeSystem: cppcheck is not meant to see the system's headers.
	# The skeleton is bpftool's code.
	cppcheck --quiet --std=c11 --language=c --error-exitcode=1 --inline-suppr -j "$(nproc)" \
		--enable=warning,performance,portability \
		--suppress=missingIncludeSystem --suppress='*:*.skel.h' \
		--include=tests/cppcheck.h \
		-Iinclude -Iuser -I"$generated" "$@" || status=1
else
	echo "== cppcheck is not installed"
fi
exit $status
