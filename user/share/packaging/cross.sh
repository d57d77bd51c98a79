#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
#   cross.sh FOLDER GOAL...
#
# make for arm64 on another machine, with Debian's cross compiler and its packages unpacked in a folder of the cache;
# FOLDER is O. MAKE may be several words.
set -eu
: "${MAKE:=make}"
folder=$1 cross=aarch64-linux-gnu
shift
root=$(PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests python3 -m kernels.sysroot)
libs=$root/usr/lib/$cross
export PKG_CONFIG_LIBDIR=$libs/pkgconfig:$root/usr/share/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
# shellcheck disable=SC2086
exec $MAKE O="$folder" ARCH=arm64 CROSS=$cross SYSROOT="$root" CC="$cross-gcc --sysroot=$root" AR=$cross-ar \
	LDFLAGS="-Wl,-rpath-link,$libs:$root/lib/$cross" "$@"
