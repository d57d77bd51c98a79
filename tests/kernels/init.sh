#!/bin/busybox sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
#
# The first process of a guest: the host's root below a scratch layer, the project's
# tree on top at its own path, and there the command. job holds SHARE, RUN, and SYSTEMD=1
# for a system that is run by it.
b=/bin/busybox
halt() {
	echo "guest: $*"
	$b poweroff -f
}
$b mkdir -p /proc /sys /dev /host /scratch /new
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
while read -r module; do
	$b insmod "/modules/$module" || echo "guest: no module $module"
done </modules/order
$b mount -t virtiofs -o ro root /host || halt "no root"
$b mount -t tmpfs -o mode=755 scratch /scratch
$b mkdir /scratch/upper /scratch/work
$b mount -t overlay -o lowerdir=/host,upperdir=/scratch/upper,workdir=/scratch/work overlay /new || halt "no overlay"
. /job
$b mount -t proc proc /new/proc
$b mount -t sysfs sys /new/sys
$b mount --move /dev /new/dev
$b mkdir -p /new/dev/pts /new/dev/shm /new/dev/net
$b mount -t devpts devpts /new/dev/pts
for folder in dev/shm run tmp; do
	$b mount -t tmpfs tmpfs "/new/$folder"
done
$b mount -t bpf bpf /new/sys/fs/bpf
$b mount -t tracefs tracefs /new/sys/kernel/tracing
$b mount -t cgroup2 cgroup /new/sys/fs/cgroup
$b mkdir -p "/new$SHARE"
$b mount -t virtiofs share "/new$SHARE" || halt "no share"
$b ip link set lo up
$b cp /run.sh /job /new/run/
if [ "$SYSTEMD" = 1 ]; then
	# neither the services of this machine nor its mounts
	$b rm -rf /new/etc/systemd/system/*.wants
	: >/new/etc/fstab
	$b mkdir -p /new/run/systemd/system/multi-user.target.wants
	$b cp /guest.service /new/run/systemd/system/
	$b ln -s ../guest.service /new/run/systemd/system/multi-user.target.wants/
	for unit in systemd-logind getty-static dbus; do
		$b ln -s /dev/null "/new/run/systemd/system/$unit.service"
	done
	exec $b switch_root /new /lib/systemd/systemd --unit=multi-user.target
fi
exec $b switch_root /new /bin/sh /run/run.sh
