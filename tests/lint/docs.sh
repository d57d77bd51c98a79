#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The documentation names what exists, and all of what users meet by name.
. tests/lint/lib.sh

pages=$(tree_files | existing | grep '\.md$' | grep -v '^tests/replay/')

# A relative link leads from its page, a path in a code span from the top.
# shellcheck disable=SC2016,SC2086
verdict doc-paths "$(
	for page in $pages; do
		grep -noE '\]\([^)]+\)' "$page" | sed -E 's/\]\(([^)#]*).*/\1/' | while IFS=: read -r line path; do
			case $path in
			'' | http | https) ;;
			*) [ -e "$(dirname "$page")/$path" ] || echo "$page:$line: a link to $path, which is not there" ;;
			esac
		done
		grep -noE '`(user|bpf|include|tests|\.github)/[a-z0-9_./-]*`' "$page" | tr -d '`' | while IFS=: read -r line path; do
			[ -e "$path" ] || echo "$page:$line: $path is not there"
		done
	done
)"

# named WORD... : those that the file on standard input does not have
unnamed() {
	text=$(cat)
	for word; do
		echo "$text" | grep -qw -e "$word" || echo "$word"
	done
}

verdicts=$(sed -n 's/^\t{ UC_VERDICT_[A-Z_]*, "\([a-z_]*\)".*/\1/p' tests/unit/test_vocabulary.c)
proofs=$(sed -n 's/^\t{ UC_PROOF_[A-Z_]*, "\([a-z_]*\)".*/\1/p' tests/unit/test_vocabulary.c | grep -vx none)
rules=$(cat user/check/rules*.c | grep -oE '\{ "[a-z-]+", UC_SEVERITY' | cut -d '"' -f 2)

# shellcheck disable=SC2086
verdict doc-names "$(
	[ -n "$verdicts" ] && [ -n "$proofs" ] && [ -n "$rules" ] || echo "tests/lint/docs.sh: the tables have moved"
	unnamed $verdicts <README.md | sed 's/^/README.md lacks the verdict /'
	unnamed $verdicts $proofs <user/share/man/upclose.8 | sed 's/^/upclose.8 lacks the verdict or proof /'
	unnamed $rules <user/share/man/upclose-check.8 | sed 's/^/upclose-check.8 lacks the rule /'
)"
