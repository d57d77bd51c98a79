#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Prints the version to build into the program: the one given, and in a git checkout
# that is not at its tag, the commit.
set -u
version=$1

if [ -e .git ] && commit=$(git describe --always --dirty --abbrev=10 --exclude '*' 2>/dev/null) &&
	[ "$(git describe --exact-match --dirty --match 'v*' 2>/dev/null)" != "v$version" ]; then
	version="$version-g$commit"
fi
echo "$version"
