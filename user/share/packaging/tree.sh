#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
#   tree.sh FOLDER PROGRAM SPDX
#
# Fills FOLDER with what a tarball holds: copy it over /usr/local, or run sbin/upclose where it lies.
set -eu
folder=$1 share=user/share

put() { install -D -m "$1" "$2" "$folder/$3"; }

put 755 "$2" sbin/upclose
put 644 "$3" share/doc/upclose/upclose.spdx.json
for file in LICENSE README.md CHANGES; do put 644 "$file" "share/doc/upclose/$file"; done
for page in "$share"/man/*.[1-8]; do put 644 "$page" "share/man/man${page##*.}/${page##*/}"; done
put 644 $share/completion/upclose.bash share/bash-completion/completions/upclose
put 644 $share/completion/upclose.zsh share/zsh/site-functions/_upclose
put 644 $share/completion/upclose.fish share/fish/vendor_completions.d/upclose.fish
for unit in service socket; do put 644 "$share/systemd/upclose.$unit" "lib/systemd/system/upclose.$unit"; done
put 644 $share/systemd/upclose.sysusers lib/sysusers.d/upclose.conf
for file in upclose.yaml prometheus-rules.yaml prometheus-scrape.yaml grafana-dashboard.json; do
	put 644 "$share/$file" "share/upclose/$file"
done
(cd "$folder" && find . -type f ! -name SHA256SUMS -printf '%P\0' | sort -z | xargs -0 sha256sum >SHA256SUMS)
