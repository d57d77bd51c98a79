#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The core gets bytes and the time and returns values: what it calls and includes
# must not reach a clock, a stream, a file or the kernel.
. tests/lint/lib.sh

archive=$O/host/core.a
allowed='^(_?mem[a-z]+|__mem[a-z]+_chk|__?str[a-z]+(_chk)?|str[a-z]+(_r)?|__isoc(99|23)_strto[a-z]+'
allowed="$allowed|(m|c|re)alloc|reallocarray|free|qsort|bsearch|crc32(_z)?|(is|to)[a-z]+|__ctype_(b|tolower|toupper)_loc"
allowed="$allowed|inet_(ntop|pton)|(h|n)to(h|n)[sl]|__errno_location|abort|__assert_fail|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_)\$"
refused='^str(ftime|ptime|error|signal|fry)'

if [ ! -e "$archive" ]; then
	echo "skip lint pure-symbols: $archive is not built"
elif nm "$archive" | grep -q ' U __asan_'; then
	echo "skip lint pure-symbols: built with sanitizers"
else
	defined=$(mktemp) undefined=$(mktemp)
	trap 'rm -f "$defined" "$undefined"' EXIT
	nm --defined-only "$archive" | awk 'NF == 3 { print $3 }' | sort -u >"$defined"
	nm -u "$archive" | awk '$1 == "U" { print $2 }' | sort -u >"$undefined"
	verdict pure-symbols "$(comm -23 "$undefined" "$defined" |
		grep -Ev "$allowed" | sed 's/^/the core calls /'
		comm -23 "$undefined" "$defined" | grep -E "$refused" | sed 's/^/the core calls /')"
fi

sources=$(find user/core -name "*.[ch]" 2>/dev/null)
[ -n "$sources" ] || {
	echo "skip lint pure-includes: no core"
	exit
}
# <sys/socket.h> is there for AF_INET.
world='stdio|time|unistd|fcntl|poll|signal|pthread|threads|syslog|dirent|sys/(stat|time|wait|mman|epoll|ioctl|uio|un)|bpf/.*|jansson|libelf|curl/.*|systemd/.*'
verdict pure-includes "$(
	# shellcheck disable=SC2086
	grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*<($world)(\.h)?>" $sources
	# shellcheck disable=SC2086
	grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' $sources | while IFS= read -r line; do
		name=$(echo "$line" | sed 's/[^"]*"\([^"]*\)".*/\1/')
		[ -e "include/$name" ] || case $name in
		core/* | base/util.h) [ -e "user/$name" ] ;;
		*) false ;;
		esac || echo "$line: neither of the core nor of include/"
	done
)"
