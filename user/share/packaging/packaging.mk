# SPDX-License-Identifier: BSD-2-Clause
#
# Included by the Makefile: what is given away, in $(O)/dist. All of it is the same bytes again from the same sources.
#   SOURCE_DATE_EPOCH   the time in it; the commit's by default

PACKAGING := user/share/packaging
DIST := $(O)/dist
export SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),$(shell stat -c %Y CHANGES))
DEB_ARCH := $(patsubst x86,amd64,$(ARCH))
RELEASE := upclose-$(UC_VERSION)
TARBALL := $(DIST)/$(RELEASE)-linux-$(DEB_ARCH).tar.gz

.PHONY: tarball static-arm64
tarball: $(TARBALL) ## The static program, its manual, completion, units and a bill of materials: $(O)/dist
static-arm64: ## The static program for arm64, cross-built: $(O)/arm64
	$(Q)+MAKE='$(MAKE)' $(PACKAGING)/cross.sh '$(O)/arm64' static

$(O)/static/upclose.spdx.json: $(O)/static/upclose $(PACKAGING)/spdx.py
	$(call msg,SPDX,$@)
	$(Q)python3 -B $(PACKAGING)/spdx.py $(UC_VERSION) $< $<.map '$(STATIC_LIBS)/SOURCES' $(SYSROOT) >$@

# As it lies under a prefix; the sums are of all that is in it.
$(TARBALL): $(O)/static/upclose $(O)/static/upclose.spdx.json $(wildcard user/share/* user/share/*/*) README.md LICENSE CHANGES
	$(call msg,TAR,$@)
	$(Q)rm -rf '$(O)/tarball' && mkdir -p '$(O)/tarball' $(DIST)
	$(Q)$(PACKAGING)/tree.sh '$(O)/tarball/$(RELEASE)' $(O)/static/upclose $(O)/static/upclose.spdx.json
	$(Q)tar -C '$(O)/tarball' --sort=name --mtime=@$(SOURCE_DATE_EPOCH) --owner=0 --group=0 --numeric-owner --mode=go-w -c $(RELEASE) | \
		gzip -9n >$@

# --- image -----------------------------------------------------------------------------

IMAGE_PROGRAMS ?= $(DEB_ARCH)=$(O)/static/upclose

.PHONY: image image-all
image: $(O)/static/upclose ## An OCI image of the static program alone: $(O)/dist/image
	$(call msg,IMAGE,$(DIST)/image)
	$(Q)rm -rf $(DIST)/image && mkdir -p $(DIST)
	$(Q)python3 -B $(PACKAGING)/image.py $(DIST)/image $(UC_VERSION) $(IMAGE_PROGRAMS)
image-all: static static-arm64 ## The same for amd64 and arm64 under one name
	$(Q)+$(MAKE) image IMAGE_PROGRAMS='amd64=$(O)/static/upclose arm64=$(O)/arm64/static/upclose'

# --- packages --------------------------------------------------------------------------

# 0.1.0, or of a commit after it 0.1.0+gCOMMIT, as packages count.
PACKAGE_VERSION := $(subst -,+,$(patsubst %-dirty,%+dirty,$(UC_VERSION)))
SOURCE := upclose-$(PACKAGE_VERSION)
# rpm does not know Debian's packages, nor has Fedora Debian's libraries: made here, it holds the static program.
RPM_BUILD_FLAGS ?= $(if $(wildcard /etc/debian_version),--nodeps --with static)
# A static program to put in instead of building one.
PACKAGED ?=
MAINTAINER ?= The upclose authors <upclose@packages.debian.org>

# What git would commit, under the package's name.
.PHONY: source
source:
	$(Q)rm -rf '$(O)/source' && mkdir -p '$(O)/source/$(SOURCE)' $(DIST)
	$(Q)git -c safe.directory='$(CURDIR)' ls-files -co --exclude-standard 2>/dev/null | grep . >'$(O)/source/files' || \
		find . \( -path ./.git -o -path './$(O)' -o -name __pycache__ \) -prune -o -type f -printf '%P\n' >'$(O)/source/files'
	$(Q)while read -r file; do [ ! -e "$$file" ] || echo "$$file"; done <'$(O)/source/files' | tar -c -T - | tar -x -C '$(O)/source/$(SOURCE)'

.PHONY: deb rpm
deb: source ## A package for Debian and Ubuntu: $(O)/dist
	$(call msg,DEB,$(DIST))
	$(Q)cp -r $(PACKAGING)/debian '$(O)/source/$(SOURCE)/debian'
	$(Q)sed -i 's|^Maintainer: .*|Maintainer: $(MAINTAINER)|' '$(O)/source/$(SOURCE)/debian/control'
	$(Q)cp user/share/systemd/upclose.sysusers '$(O)/source/$(SOURCE)/debian/upclose.sysusers'
	$(Q)printf 'upclose (%s) unstable; urgency=medium\n\n  * See CHANGES.\n\n -- %s  %s\n' \
		'$(PACKAGE_VERSION)' '$(MAINTAINER)' "$$(LC_ALL=C date -R -u -d @$(SOURCE_DATE_EPOCH))" >'$(O)/source/$(SOURCE)/debian/changelog'
	$(Q)cd '$(O)/source/$(SOURCE)' && env -u MAKE -u MAKEFLAGS -u MAKELEVEL -u O -u CC UC_VERSION='$(UC_VERSION)' UC_PROGRAM='$(PACKAGED)' dpkg-buildpackage -us -uc -b $(DEB_BUILD_FLAGS) \
		>../deb.log 2>&1 || { tail -n 20 ../deb.log; exit 1; }
	$(Q)mv '$(O)'/source/upclose*_* $(DIST)/

rpm: source ## A package for Fedora, RHEL and their like: $(O)/dist
	$(call msg,RPM,$(DIST))
	$(Q)rm -rf '$(O)/rpm' && mkdir -p '$(O)/rpm/SOURCES'
	$(Q)tar -C '$(O)/source' --sort=name --mtime=@$(SOURCE_DATE_EPOCH) --owner=0 --group=0 --numeric-owner -c $(SOURCE) | \
		gzip -9n >'$(O)/rpm/SOURCES/$(SOURCE).tar.gz'
	$(Q)env -u MAKE -u MAKEFLAGS -u MAKELEVEL -u O -u CC rpmbuild --define '_topdir $(abspath $(O))/rpm' --define 'uc_version $(PACKAGE_VERSION)' \
		--define 'use_source_date_epoch_as_buildtime 1' --define 'clamp_mtime_to_source_date_epoch 1' --define '_buildhost localhost' \
		$(if $(PACKAGED),--define 'uc_program $(PACKAGED)') $(RPM_BUILD_FLAGS) -bb $(PACKAGING)/upclose.spec >'$(O)/rpm/log' 2>&1 || { tail -n 20 '$(O)/rpm/log'; exit 1; }
	$(Q)mv '$(O)'/rpm/RPMS/*/*.rpm $(DIST)/

.PHONY: deb-arm64 rpm-arm64
deb-arm64: static-arm64 ## The package for arm64, with the static program: $(O)/dist
	$(Q)+$(MAKE) deb PACKAGED='$(abspath $(O))/arm64/static/upclose' DEB_BUILD_FLAGS='-d -aarm64'
rpm-arm64: static-arm64 ## The same for aarch64: $(O)/dist
	$(Q)+$(MAKE) rpm PACKAGED='$(abspath $(O))/arm64/static/upclose' RPM_BUILD_FLAGS='--nodeps --with static --target aarch64'
