# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# After init.sh: runs the command, leaves its output and status in the share, powers off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LANG=C.UTF-8
. /run/job
cd "$SHARE" || exit
echo begun >"$OUT/begun"
sh -c "$RUN" </dev/null >"$OUT/output" 2>&1
status=$?
sync
echo $status >"$OUT/status"
sync
echo o >/proc/sysrq-trigger
sleep 60
