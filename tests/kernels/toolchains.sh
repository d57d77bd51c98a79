#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Builds with the newest clang of Debian 12, and for arm64 with Debian's cross compiler;
# a result a line, as the stages of tests/check.sh print them. O is the build's folder.
set -u
: "${O:=build}" "${MAKE:=make}"
cross=aarch64-linux-gnu

# built NAME WORDS...: the result of make, whose folder is $O/NAME
built() {
	local name=$1
	shift
	# shellcheck disable=SC2086 # $MAKE may be several words
	if $MAKE O="$O/$name" WERROR=1 "$@" >"$O/$name.log" 2>&1; then
		echo "ok kernels $name builds"
	else
		tail -n 5 "$O/$name.log" | sed 's/^/    /'
		echo "not ok kernels $name builds"
		return 1
	fi
}

mkdir -p "$O"
if command -v clang-19 >/dev/null; then
	if built clang-19 CLANG=clang-19 all && [ "$(id -u)" -eq 0 ]; then
		if "$O/clang-19/upclose" trace -d 0.1 >/dev/null 2>"$O/clang-19.log"; then
			echo "ok kernels clang-19 loads"
		else
			echo "not ok kernels clang-19 loads: $(head -n 1 "$O/clang-19.log")"
		fi
	fi
else
	echo "skip kernels clang-19: not installed"
fi

if ! command -v $cross-gcc >/dev/null; then
	echo "skip kernels arm64: $cross-gcc is not installed"
elif ! PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests python3 -m kernels.sysroot >"$O/arm64.log" 2>&1; then
	echo "skip kernels arm64: $(tail -n 1 "$O/arm64.log")"
else
	if MAKE="$MAKE WERROR=1" user/share/packaging/cross.sh "$O/arm64" all static >"$O/arm64.log" 2>&1; then
		echo "ok kernels arm64 builds"
		if file=$(readelf -h "$O/arm64/upclose") && grep -q AArch64 <<<"$file"; then
			echo "ok kernels arm64 is for arm64"
		else
			echo "not ok kernels arm64 is for arm64"
		fi
	else
		tail -n 5 "$O/arm64.log" | sed 's/^/    /'
		echo "not ok kernels arm64 builds"
	fi
fi
