#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The documentation names what exists, and all of what users meet by name; so do the
# lists of such names outside the code.
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

# words ROW...: the names in the rows of the vocabulary's lists that begin so
words() {
	for row; do
		sed -nE "s/^\t${row}[A-Z_]*, \"([a-z_]+)\"(, $flag)?\).*/\1/p" user/core/vocabulary.h
	done
}

flag='[a-z]+' verdicts=$(words 'VERDICT\(UC_VERDICT_')
flag='true' causes=$(words 'VERDICT\(UC_VERDICT_' | grep -vx unknown)
others=$(words 'WORD\(UC_')
rules=$(cat user/check/rules*.c | grep -oE '\{ "[a-z-]+", UC_SEVERITY' | cut -d '"' -f 2)

# shellcheck disable=SC2086
verdict doc-names "$(
	[ -n "$verdicts" ] && [ -n "$causes" ] && [ -n "$others" ] && [ -n "$rules" ] || echo "tests/lint/docs.sh: the tables have moved"
	unnamed $verdicts <README.md | sed 's/^/README.md lacks the verdict /'
	unnamed $verdicts $others <user/share/man/upclose.8 | sed 's/^/upclose.8 lacks the word /'
	unnamed $verdicts $others <tests/harness/upclose.py | sed 's/^/the contract in tests\/harness\/upclose.py lacks the word /'
	unnamed $verdicts <tests/oracle/truth.py | sed 's/^/the truth table in tests\/oracle\/truth.py lacks the verdict /'
	unnamed $causes <user/share/man/upclose-alerts.7 | sed 's/^/no default rule in upclose-alerts.7 has the verdict /'
	unnamed $causes <user/share/prometheus-rules.yaml | sed 's/^/no rule in prometheus-rules.yaml has the verdict /'
	unnamed $rules <user/share/man/upclose-check.8 | sed 's/^/upclose-check.8 lacks the rule /'
)"
