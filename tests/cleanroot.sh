#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# For maintainers, not a part of make check: does a machine that has only git and make
# build and pass?
#
#   tests/cleanroot.sh SUITE [DIR]
#
# Makes a minimal system of SUITE (bookworm, trixie, or another that the mirror has) with
# debootstrap in a new folder below DIR (/var/tmp), clones the last commit of this
# repository into it, and runs make check there by chroot, on this machine's kernel. What
# it made is removed at the end. Needs root, debootstrap and 3 GB of disk.
#
#   CLEANROOT_TARGET=check   what to make; more words are allowed: "demo V=1"
#   CLEANROOT_MIRROR=URL     another mirror than apt's
#   CLEANROOT_KEEP=1         keep the folder
#   UPCLOSE_REQUIRE_BPF=1    handed on
#
# The status is that of make, or 1 when the system could not be made.
set -eu

fail() {
	echo "cleanroot: $*" >&2
	exit 1
}

step() {
	local what=$1 log
	shift
	echo "cleanroot: $what"
	log=$(mktemp)
	if ! "$@" >"$log" 2>&1; then
		tail -n 30 "$log" >&2
		rm -f "$log"
		fail "failed to $what"
	fi
	rm -f "$log"
}

# The second run of this script, in a mount namespace of its own: all mounts end with it.
inside() {
	local root=$1
	# unshare(1), which a test uses, wants / to be a mount
	mount --bind "$root" "$root"
	mount -t proc proc "$root/proc"
	mount --rbind /sys "$root/sys"
	mount --rbind /dev "$root/dev"
	mountpoint -q "$root/sys/fs/bpf" || mount -t bpf bpf "$root/sys/fs/bpf" ||
		echo "cleanroot: no /sys/fs/bpf; going on without" >&2
	local keep=()
	for name in http_proxy https_proxy no_proxy UPCLOSE_REQUIRE_BPF CI; do
		[ -z "${!name:-}" ] || keep+=("$name=${!name}")
	done
	# shellcheck disable=SC2086 # several words are allowed
	exec chroot "$root" env -i "${keep[@]}" HOME=/root LANG=C.UTF-8 TERM=dumb \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		make -C /srv/upclose ${CLEANROOT_TARGET:-check}
}

if [ "${1:-}" = --inside ]; then
	inside "$2"
fi

suite=${1:?usage: tests/cleanroot.sh SUITE [DIR]}
[ "$(id -u)" -eq 0 ] || fail "needs root"
command -v debootstrap >/dev/null || fail "needs debootstrap"
top=$(cd "$(dirname "$0")/.." && pwd)

mirror() {
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
		sed -n 's/^\(Debian\|Ubuntu\) //p' | head -n 1
}
mirror=${CLEANROOT_MIRROR:-$(mirror)}
[ -n "$mirror" ] || fail "apt names no mirror: set CLEANROOT_MIRROR"

root=$(mktemp -d "${2:-/var/tmp}/upclose-$suite.XXXXXX")
chmod 755 "$root"

# A server that a test left behind holds the folder, and would outlive it.
end_leftovers() {
	local process
	for process in /proc/[0-9]*; do
		if [ "$(readlink "$process/root")" = "$root" ]; then
			echo "cleanroot: left running: $(tr '\0' ' ' <"$process/cmdline")" >&2
			kill -9 "${process#/proc/}" || true
		fi
	done 2>/dev/null
}

cleanup() {
	end_leftovers
	if [ "${CLEANROOT_KEEP:-}" = 1 ]; then
		echo "cleanroot: kept $root"
	else
		rm -rf --one-file-system "$root"
	fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

step "make a minimal $suite with debootstrap" \
	debootstrap --variant=minbase --include=git,make,ca-certificates "$suite" "$root" "$mirror"

# How this machine reaches its mirror, and npm's registry, holds for the new system, too.
apt-config dump | grep -E '^Acquire::' | grep -v '^Acquire::IndexTargets' >"$root/etc/apt/apt.conf.d/90cleanroot"
cp /etc/resolv.conf "$root/etc/resolv.conf"
if command -v npm >/dev/null; then
	echo "registry=$(npm config get registry)" >"$root/etc/npmrc"
	authorities=$(npm config get cafile)
	if [ -r "$authorities" ]; then
		cp "$authorities" "$root/etc/npm-authorities.pem"
		echo cafile=/etc/npm-authorities.pem >>"$root/etc/npmrc"
	fi
fi
echo "deb $mirror $suite main" >"$root/etc/apt/sources.list"
if [ "$(sed -n 's/^ID=//p' "$root/etc/os-release")" = ubuntu ]; then
	echo "deb $mirror $suite main universe" >"$root/etc/apt/sources.list"
fi

step "clone the repository" git -c safe.directory='*' clone --quiet --no-hardlinks "$top" "$root/srv/upclose"

echo "cleanroot: make ${CLEANROOT_TARGET:-check}"
status=0
unshare --mount --propagation private "$0" --inside "$root" </dev/null || status=$?
[ $status -eq 0 ] || echo "cleanroot: make ${CLEANROOT_TARGET:-check} in $suite: status $status" >&2
exit $status
