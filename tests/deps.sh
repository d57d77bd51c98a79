#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# What building and testing upclose needs, and its installation by apt-get.
#
#   tests/deps.sh missing [LEVEL]...   name what is missing, one a line; status 1 if anything is
#   tests/deps.sh need [LEVEL]...      the same, as a message for a person
#   tests/deps.sh install [LEVEL]...   install what is missing (root)
#   tests/deps.sh auto [LEVEL]...      install when root, otherwise do nothing
#   tests/deps.sh find TOOL            print how to call clang, bpftool or python3 (one with pytest and xdist)
#
# LEVEL: build (default), demo, static, test, artifacts, guests, kernels, systemd, bench. A thing counts as present when it works, from
# whatever source: a package, a backport or /usr/local.
set -u

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

LIBBPF_FLOOR=1.1

have() { command -v "$1" >/dev/null 2>&1; }

# --- tools that hide under more than one name ------------------------------------

find_clang() {
	if [ -n "${CLANG:-}" ]; then
		echo "$CLANG"
		return
	fi
	if have clang; then
		echo clang
		return
	fi
	newest=$(
		IFS=:
		for dir in $PATH; do
			ls "$dir" 2>/dev/null
		done | sed -n 's/^clang-\([0-9][0-9]*\)$/\1/p' | sort -n | tail -n 1
	)
	[ -n "$newest" ] && echo "clang-$newest"
}

# Ubuntu's bpftool is a wrapper that refuses when the running kernel has no tools
# package of its own; any version of the real one generates the same skeleton.
find_bpftool() {
	for tool in "${BPFTOOL:-}" bpftool /usr/lib/linux-tools/*/bpftool /usr/lib/linux-tools-*/bpftool; do
		[ -n "$tool" ] || continue
		"$tool" version 2>/dev/null | grep -q 'bpftool v[0-9]' || continue
		command -v "$tool"
		return
	done
	return 1
}

find_python() {
	for python in "${PYTHON:-}" python3 /usr/bin/python3; do
		[ -n "$python" ] || continue
		"$python" -c 'import pytest, xdist' 2>/dev/null || continue
		echo "$python"
		return
	done
	return 1
}

clang_major() {
	clang=$(find_clang) || return 1
	"$clang" -dumpversion 2>/dev/null | cut -d. -f1
}

# --- what is needed: name, and a check of the same name ------------------------------

BUILD='make cc libc pkg-config libbpf libelf zlib jansson libyaml libcyaml libmicrohttpd libcurl libseccomp libcap-ng clang bpftool'
DEMO='python3 nginx nodejs openssl iproute2 procps'
TEST='git patch pytest cmocka clang-rt llvm clang-format clang-tidy cppcheck mandoc nft prometheus alertmanager protobuf chromium zsh fish'
BENCH='wrk tcpdump bpftrace libbpf-tools bpfcc-tools'
GUESTS='qemu virtiofsd busybox kmod xz zstd lz4'
STATIC='patch dpkg-source xz gnutls'
ARTIFACTS='debhelper lintian debootstrap rpm umoci skopeo python3-yaml python3-jsonschema go sprig go-yaml qemu-user-static gcc-aarch64-linux-gnu'
TOOLCHAINS='clang-19 gcc-aarch64-linux-gnu qemu-arm64'
SERVERS='gunicorn uvicorn puma apache2-bin haproxy lighttpd python3-aiohttp nginx-stream php-fpm tomcat10-user node-fastcgi node-versions patchelf nginx-versions'

pkg_config() { pkg-config "$@" >/dev/null 2>&1; }

# Node of several major versions: npm has them, no distribution has.
node_versions() { python3 "$(dirname "$0")/harness/node_versions.py" "$@"; }

# nginx of before and after: other releases of Debian have them.
nginx_versions() { PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") python3 -m harness.nginx_versions "$@"; }

check() {
	case $1 in
	cc) have "${CC:-cc}" || have gcc ;;
	libc) echo '#include <stdlib.h>' | ${CC:-cc} -E - >/dev/null 2>&1 ;;
	libbpf) pkg_config --atleast-version=$LIBBPF_FLOOR libbpf ;;
	libyaml) pkg_config yaml-0.1 ;;
	# with nettle and the others that it is built of
	gnutls) pkg_config hogweed gmp libtasn1 ;;
	libelf | zlib | jansson | libcyaml | libmicrohttpd | libcurl | libseccomp | libcap-ng | cmocka) pkg_config "$1" ;;
	clang) tool=$(find_clang) && have "$tool" ;;
	bpftool) find_bpftool >/dev/null ;;
	# Ubuntu's is a snap, which a test cannot use; its tests are skipped there
	chromium) have chromium || grep -q '^ID=ubuntu' /etc/os-release 2>/dev/null ;;
	nodejs) have node || have nodejs ;;
	prometheus) have prometheus && have promtool ;;
	alertmanager) have prometheus-alertmanager ;;
	protobuf) have protoc && /usr/bin/python3 -c 'import google.protobuf' 2>/dev/null ;;
	iproute2) have ip ;;
	procps) have ps ;;
	apache2-bin) have apache2 ;;
	python3-aiohttp) /usr/bin/python3 -c 'import aiohttp' 2>/dev/null ;;
	libbpf-tools) have tcplife ;;
	bpfcc-tools) have tcplife-bpfcc ;;
	php-fpm) ls /usr/sbin/php-fpm* >/dev/null 2>&1 ;;
	nginx-stream) [ -e /usr/lib/nginx/modules/ngx_stream_module.so ] ;;
	tomcat10-user) [ -e /usr/share/tomcat10/skel/conf/server.xml ] && have java ;;
	node-fastcgi) [ -e /usr/share/nodejs/node-fastcgi ] ;;
	node-versions) node_versions missing >/dev/null 2>&1 ;;
	nginx-versions) nginx_versions missing >/dev/null 2>&1 ;;
	pytest) find_python >/dev/null ;;
	clang-rt)
		tool=$(find_clang) && have "$tool" &&
			find -L "$("$tool" -print-resource-dir)" -name 'libclang_rt.fuzzer*.a' 2>/dev/null | grep -q .
		;;
	llvm) have llvm-symbolizer || have "llvm-symbolizer-$(clang_major)" ;;
	gcc-aarch64-linux-gnu) have aarch64-linux-gnu-gcc ;;
	debhelper) have dh ;;
	python3-yaml) /usr/bin/python3 -c 'import yaml' 2>/dev/null ;;
	python3-jsonschema) /usr/bin/python3 -c 'import jsonschema' 2>/dev/null ;;
	sprig) have helm || [ -e /usr/share/gocode/src/github.com/Masterminds/sprig ] ;;
	go-yaml) have helm || [ -e /usr/share/gocode/src/gopkg.in/yaml.v3 ] ;;
	go) have helm || have go ;;
	rpm) have rpmbuild ;;
	qemu-user-static) have qemu-aarch64-static ;;
	qemu) have qemu-system-x86_64 ;;
	qemu-arm64) have qemu-system-aarch64 ;;
	virtiofsd) [ -x /usr/libexec/virtiofsd ] || [ -x /usr/lib/qemu/virtiofsd ] ;;
	kmod) have modprobe && have depmod ;;
	systemd) [ -x /lib/systemd/systemd ] && have systemd-analyze && have journalctl ;;
	*) have "$1" ;;
	esac
}

items() {
	[ $# -gt 0 ] || set -- build
	for level in "$@"; do
		case $level in
		build) echo "$BUILD" ;;
		demo) echo "$DEMO" ;;
		bench) echo "python3 nginx $BENCH" ;;
		test) echo "$DEMO $TEST $SERVERS" ;;
		static) echo "$STATIC" ;;
		artifacts) echo "$STATIC $ARTIFACTS" ;;
		guests) echo "$GUESTS" ;;
		kernels) echo "$GUESTS $TOOLCHAINS" ;;
		systemd) echo "pytest systemd" ;;
		*)
			echo "deps: no such level: $level" >&2
			exit 2
			;;
		esac
	done | tr ' ' '\n' | awk '!seen[$0]++'
}

missing() {
	for item in $(items "$@"); do
		check "$item" || echo "$item"
	done
}

# --- names of Debian's and Ubuntu's packages ------------------------------------------

candidate() {
	apt-cache policy "$1" 2>/dev/null | grep -q '^  Candidate: [^(]'
}

package() {
	case $1 in
	cc) echo gcc ;;
	libc) echo libc6-dev ;;
	libbpf) echo libbpf-dev ;;
	libelf) echo libelf-dev ;;
	zlib) echo zlib1g-dev ;;
	jansson) echo libjansson-dev ;;
	libcurl) echo libcurl4-gnutls-dev ;;
	libyaml | libcyaml | libmicrohttpd | libseccomp | libcap-ng) echo "$1-dev" ;;
	cmocka) echo libcmocka-dev ;;
	gnutls) echo libgnutls28-dev ;;
	dpkg-source) echo dpkg-dev ;;
	go) echo golang-go ;;
	sprig) echo golang-github-masterminds-sprig-dev ;;
	go-yaml) echo golang-gopkg-yaml.v3-dev ;;
	pytest) echo python3-pytest python3-pytest-xdist ;;
	nft) echo nftables ;;
	alertmanager) echo prometheus-alertmanager ;;
	protobuf) echo protobuf-compiler python3-protobuf ;;
	node-versions) have npm || echo npm ;;
	nginx-versions) ;;
	nginx-stream) echo libnginx-mod-stream ;;
	bpftool)
		# Ubuntu up to 24.04 has no package of that name.
		if have apt-cache && ! candidate bpftool && candidate linux-tools-common; then
			echo linux-tools-common linux-tools-generic
		else
			echo bpftool
		fi
		;;
	clang-rt)
		major=$(clang_major)
		[ -n "$major" ] || major=$(apt-cache depends clang 2>/dev/null |
			sed -n 's/.*Depends: clang-\([0-9][0-9]*\)$/\1/p' | head -n 1)
		echo "libclang-rt-${major:+$major-}dev"
		;;
	qemu) echo qemu-system-x86 ;;
	qemu-arm64) echo qemu-system-arm ;;
	# Debian 12 has it in qemu-system-common.
	virtiofsd) candidate virtiofsd && echo virtiofsd || echo qemu-system-common ;;
	busybox) echo busybox-static ;;
	xz) echo xz-utils ;;
	*) echo "$1" ;;
	esac
}

packages() {
	for item in "$@"; do
		package "$item"
	done | xargs
}

# --- installation -------------------------------------------------------------------

POLICY=/usr/sbin/policy-rc.d
policy_is_ours=

# Services that the packages of servers bring along.
services() {
	have systemctl || return
	systemctl list-unit-files --no-legend nginx.service haproxy.service apache2.service 'php*-fpm.service' \
		prometheus.service prometheus-alertmanager.service 2>/dev/null |
		awk '{ printf "%s ", $1 }'
}

# The servers' packages would start them, nginx on port 80; nothing here wants that.
forbid_services() {
	[ -e $POLICY ] && return
	trap allow_services EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	policy_is_ours=1
	printf '#!/bin/sh\nexit 101\n' >$POLICY
	chmod 755 $POLICY
}

allow_services() {
	[ -n "$policy_is_ours" ] && rm -f $POLICY
	policy_is_ours=
}

apt_get() {
	DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 "$@"
}

apt_install() {
	log=$(mktemp) || return 1
	# shellcheck disable=SC2086 # a list of names
	apt_get install -y --no-install-recommends $1 >"$log" 2>&1 </dev/null
	status=$?
	[ $status -eq 0 ] || tail -n 20 "$log" >&2
	rm -f "$log"
	return $status
}

update_lists() {
	[ -z "${lists_are_new:-}" ] || return 0
	echo "deps: apt-get update"
	apt_get update -qq >/dev/null || echo "deps: apt-get update failed; going on with the lists there are" >&2
	lists_are_new=1
}

install_missing() {
	wanted=$(missing "$@")
	[ -n "$wanted" ] || return 0
	# shellcheck disable=SC2086
	set -- $wanted
	if ! have apt-get || [ "$(id -u)" -ne 0 ]; then
		explain "$@"
		return 1
	fi
	for name in $(packages "$@"); do
		candidate "$name" || update_lists
	done
	list=$(packages "$@")
	[ -z "$list" ] || install_packages "$@" || return 1
	case " $* " in *" node-versions "*) fetch_node_versions ;; esac
	case " $* " in *" nginx-versions "*) fetch_nginx_versions ;; esac
	for item in "$@"; do
		check "$item" && continue
		case $item in node-versions | nginx-versions) continue ;; esac
		echo "deps: $item is still missing after installing $(package "$item")" >&2
		failed=1
	done
	[ -z "${failed:-}" ]
}

install_packages() {
	services_before=$(services)
	forbid_services
	echo "deps: installing: $list"
	apt_install "$list" || {
		# The lists may name versions that the mirror no longer has.
		[ -n "${lists_are_new:-}" ] && return 1
		update_lists
		apt_install "$(packages "$@")" || return 1
	}
	allow_services
	for name in $(services); do
		case " $services_before " in *" $name "*) continue ;; esac
		systemctl disable --quiet "$name" >/dev/null 2>&1 &&
			echo "deps: $name was installed for the tests only: not started, and not enabled at boot"
	done
}

# A machine that reaches its mirror need not reach npm's registry.
fetch_node_versions() {
	echo "deps: fetching Node $(node_versions missing | awk '{ printf "%s%s", sep, $2; sep = ", " }') with npm"
	node_versions install ||
		echo "deps: npm did not fetch them all; the tests of the missing versions will be skipped" >&2
}

fetch_nginx_versions() {
	echo "deps: fetching nginx $(nginx_versions missing | xargs | sed 's/ /, /g') from other releases of Debian"
	nginx_versions install ||
		echo "deps: not all could be fetched; the tests of the missing versions will be skipped" >&2
}

explain() {
	how="make deps"
	[ "$levels" = build ] || how="tests/deps.sh install $levels"
	echo "upclose: missing: $*" >&2
	if ! have apt-get; then
		echo "upclose: install them with this system's package manager; Debian calls them: $(packages "$@")" >&2
	elif [ "$(id -u)" -eq 0 ]; then
		echo "upclose: run '$how' to install: $(packages "$@")" >&2
	else
		echo "upclose: run 'sudo $how' to install: $(packages "$@")" >&2
	fi
}

usage() {
	sed -n 's/^#   //p' "$0" >&2
	exit 2
}

[ $# -gt 0 ] || usage
action=$1
shift
levels=${*:-build}
case $action in
missing)
	list=$(missing "$@")
	[ -z "$list" ] || {
		echo "$list"
		exit 1
	}
	;;
need)
	list=$(missing "$@")
	# shellcheck disable=SC2086
	[ -z "$list" ] || {
		explain $list
		exit 1
	}
	;;
install) install_missing "$@" ;;
auto) [ "$(id -u)" -ne 0 ] || install_missing "$@" ;;
find)
	case ${1:-} in
	clang | bpftool) "find_$1" ;;
	python3) find_python ;;
	*) usage ;;
	esac
	;;
*) usage ;;
esac
