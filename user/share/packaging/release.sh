#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
#   release.sh TAG
#
# Everything that a release gives away, in build/dist: tarballs and packages for amd64 and arm64, the image
# for both, the source, what changed, sums of all of it, and where MINISIGN_KEY names a secret key their signature.
# The tag is annotated, and that of the commit that is checked out, and of the Makefile's version. Needs root, for what it installs.
set -eu
cd "$(dirname "$0")/../../.."
tag=${1:?usage: release.sh TAG} dist=build/dist
version=$(sed -n 's/^VERSION := //p' Makefile)

fail() {
	echo "release: $*" >&2
	exit 1
}

[ "$tag" = "v$version" ] || fail "the tag is $tag and the Makefile says $version"
[ "$(tests/version.sh "$version")" = "$version" ] || fail "this is not the commit of $tag, the tag is not an annotated one, or something is not committed"
grep -q "^$version" CHANGES || fail "CHANGES says nothing of $version"

tests/deps.sh install build artifacts
rm -rf "$dist"
mkdir -p "$dist"
make tarball
make deb
make rpm
make image-all
make deb-arm64
make rpm-arm64
user/share/packaging/cross.sh build/arm64 tarball
mv build/arm64/dist/*.tar.gz "$dist"
tar -C "$dist/image" --sort=name --mtime="@$(git log -1 --format=%ct)" --owner=0 --group=0 --numeric-owner -cf "$dist/upclose-$version-image.oci.tar" .
rm -rf "$dist/image"
git archive --prefix="upclose-$version/" "$tag" | gzip -9n >"$dist/upclose-$version.tar.gz"
# from this version's heading to the next one's
awk -v version="$version" '/^[0-9]/ { ours = index($0, version) == 1 } ours' CHANGES >"$dist/CHANGES.txt"
(cd "$dist" && sha256sum -- * >SHA256SUMS)
if [ -n "${MINISIGN_KEY:-}" ]; then
	minisign -S -s "$MINISIGN_KEY" -m "$dist/SHA256SUMS" -t "upclose $version"
else
	echo "release: not signed: MINISIGN_KEY names no secret key" >&2
fi
(cd "$dist" && ls -l)
