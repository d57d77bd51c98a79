#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
#   static-libs.sh FOLDER [CROSS SYSROOT]
#
# GnuTLS and libcurl as archives, in FOLDER, of the sources of the distribution that this machine's apt is set up for.
# Debian has archives of everything else; its GnuTLS needs p11-kit, and its libcurl ten more libraries (LDAP, Kerberos,
# SSH, ...), which have none. Neither is of any use to upclose. Sources are verified by apt, kept in FOLDER, and
# built once. CROSS is as in aarch64-linux-gnu.
set -eu
folder=$1 cross=${2:-} sysroot=${3:-}
CFLAGS="-O2 -g0 -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2 -ffunction-sections -fdata-sections"
[ -z "$cross" ] || set -- --host="$cross" CC="$cross-gcc --sysroot=$sysroot" AR="$cross-ar" RANLIB="$cross-ranlib"
[ -n "$cross" ] || set --
# one build at a time, and not again
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
exec 9>"$folder/lock"
flock 9
stamp=$(cksum "$0")
[ "$(cat "$folder/built" 2>/dev/null)" != "$stamp" ] || exit 0
rm -rf "${folder:?}"/{lib,include,src,built}
mkdir -p "$folder/src" "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial"
cd "$folder/src"

# apt's own settings, with the sources of what it has the packages of
sources() {
	local list=$folder/apt/sources.list
	# shellcheck disable=SC2016 # apt's variables
	apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		while read -r origin uri release component; do
			case $origin in
			Debian | Ubuntu) echo "deb-src [signed-by=/usr/share/keyrings/${origin,}-archive-keyring.gpg] $uri $release $component" ;;
			esac
		done | sort -u >"$list"
	set -- -qq -oDir::Etc::SourceList="$list" -oDir::Etc::SourceParts=/dev/null -oDir::State::Lists="$folder/apt/lists" \
		-oDir::Cache="$folder/apt/cache" -oAPT::Sandbox::User=root
	apt-get "$@" update
	apt-get "$@" source --download-only gnutls28 curl
	dpkg-source --no-check -x gnutls28_*.dsc gnutls
	dpkg-source --no-check -x curl_*.dsc curl
}

# The version is in SOURCES, for who wants to know what is in the program.
note_versions() {
	sed -n 's/^\(Source\|Version\): //p' gnutls28_*.dsc curl_*.dsc | paste -d ' ' - - >"$folder/SOURCES"
}

# Whatever a library of this release can do besides TLS and HTTP is left out.
gnutls() {
	cd gnutls
	./configure --prefix="$folder" "$@" CFLAGS="$CFLAGS" --enable-static --disable-shared --disable-doc --disable-tools --disable-cxx \
		--disable-tests --disable-nls --disable-guile --disable-libdane --disable-maintainer-mode --without-p11-kit \
		--without-idn --with-included-unistring --without-zlib --without-brotli --without-zstd --without-tpm --without-tpm2 \
		--with-default-trust-store-file=/etc/ssl/certs/ca-certificates.crt
	make -j"$(nproc)"
	make install
	# A patch of Debian's lists it in a Makefile.am, from which nothing is made here.
	make -C gl gl_linkedhash_list.lo
	"${cross:+$cross-}ar" r "$folder/lib/libgnutls.a" gl/gl_linkedhash_list.o
	cd ..
}

curl() {
	cd curl
	./configure --prefix="$folder" "$@" CFLAGS="$CFLAGS" LIBS="-lhogweed -lnettle -lgmp -ltasn1" --enable-static --disable-shared \
		--with-gnutls="$folder" --without-libpsl --without-zlib --without-brotli --without-zstd --without-nghttp2 \
		--without-libidn2 --without-librtmp --without-libssh2 --without-libgsasl --disable-ldap --disable-ldaps --disable-rtsp \
		--disable-dict --disable-telnet --disable-tftp --disable-pop3 --disable-imap --disable-smb --disable-smtp \
		--disable-gopher --disable-mqtt --disable-ftp --disable-file --disable-manual --disable-ntlm --disable-netrc \
		--disable-cookies --disable-alt-svc --disable-hsts --disable-doh --disable-dependency-tracking \
		--with-ca-bundle=/etc/ssl/certs/ca-certificates.crt --without-ca-path
	make -C lib -j"$(nproc)"
	make -C lib install
	make -C include install
	make install-pkgconfigDATA
	cd ..
}

give_up() {
	tail -n 20 "$folder/log" >&3
	echo "static-libs: cannot build GnuTLS and libcurl; $folder/log has all of it" >&3
}

exec 3>&2 >"$folder/log" 2>&1 </dev/null
trap give_up EXIT
sources
note_versions
gnutls "$@"
curl "$@"
trap - EXIT
rm -rf "${folder:?}"/{src,share,bin,apt}
echo "$stamp" >"$folder/built"
