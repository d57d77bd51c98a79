# SPDX-License-Identifier: BSD-2-Clause
#
# Nothing generated lands in the tree, everything is under $(O). Useful variables:
#   O=build  V=1  WERROR=1  SANITIZE=1  CC  CLANG  BPFTOOL  CFLAGS  LDFLAGS  BPF_EXTRA_CFLAGS
#   STATIC=1 (installs the static program)  PROGRAM (installs this one, built before)  CROSS=aarch64-linux-gnu  SYSROOT  STATIC_LIBS
#   PREFIX  DESTDIR  DATADIR  SBINDIR  LIBEXECDIR  MANDIR  SYSCONFDIR  BASHCOMPDIR  ZSHCOMPDIR  FISHCOMPDIR
#   SYSTEMDUNITDIR  SYSUSERSDIR
# What tests and measures is in tests/tests.mk.

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

VERSION := 0.1.0

O ?= build

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
LIBEXECDIR ?= $(PREFIX)/libexec/upclose
MANDIR ?= $(PREFIX)/share/man
SYSCONFDIR ?= /etc
DATADIR ?= $(PREFIX)/share/upclose
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions
FISHCOMPDIR ?= $(PREFIX)/share/fish/vendor_completions.d
SYSTEMDUNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d

ifeq ($(V),1)
Q :=
msg :=
else
Q := @
msg = @printf '  %-8s %s\n' '$(1)' '$(patsubst $(O)/%,%,$(2))';
endif

# --- tools -----------------------------------------------------------------------

ifeq ($(origin CC),default)
CC := cc
endif
PKG_CONFIG ?= pkg-config
INSTALL ?= install
CLANG ?= $(shell tests/deps.sh find clang)
BPFTOOL ?= $(shell tests/deps.sh find bpftool)
CLANG_FORMAT ?= clang-format
CLANG_TIDY ?= clang-tidy

# --- sources ----------------------------------------------------------------------

BPF_SRCS := $(wildcard bpf/*.bpf.c)
# From the lowest to the highest; tests/lint/layers.sh holds the includes to it.
LAYERS := base core source engine nginx output probe config alert check daemon cmd
USER_SRCS := $(wildcard user/*/*.c user/core/*/*.c)
HEADERS := $(wildcard vmlinux.h bpf/*.h include/*.h user/*/*.h user/core/*/*.h tests/*.h tests/unit/*.h tests/fuzz/*.h)

# --- flags ------------------------------------------------------------------------

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wformat=2 \
	$(if $(filter 1,$(WERROR)),-Werror)
INCLUDES := -Iinclude -Iuser -I$(O)
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
# A level that the distribution chose, by a flag or in its compiler, stays.
FORTIFY = $(if $(findstring _FORTIFY_SOURCE,$(CFLAGS) $(CPPFLAGS) $(shell $(CC) -O2 -dM -E - </dev/null)),,-D_FORTIFY_SOURCE=2)
HARDENING = -fPIE -fstack-protector-strong $(FORTIFY)
# The folder of the build is in nothing that is built.
RELATIVE := -ffile-prefix-map=$(CURDIR)=.
PACKAGES := libbpf libelf zlib jansson libcyaml yaml-0.1 libmicrohttpd libcurl libseccomp libcap-ng
LIBS_CFLAGS ?= $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)
LIBS ?= $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null)

# Empty, as in a source that defines it for itself.
BASE_CFLAGS = -std=gnu11 -D_GNU_SOURCE= $(RELATIVE) $(WARNINGS) $(INCLUDES) $(LIBS_CFLAGS) $(CPPFLAGS)
ifeq ($(SANITIZE),1)
HOST_CFLAGS = $(CFLAGS) $(BASE_CFLAGS) $(SANITIZERS)
HOST_LDFLAGS = $(SANITIZERS) $(LDFLAGS)
else
HOST_CFLAGS = $(CFLAGS) $(BASE_CFLAGS) $(HARDENING)
HOST_LDFLAGS = -pie -Wl,-z,relro,-z,now $(LDFLAGS)
endif
# gcc guesses lengths of text worse with them; libseccomp's macros leave fields to be zero.
SAN_CFLAGS = -O1 -g $(BASE_CFLAGS) $(SANITIZERS) -Wno-format-truncation
FUZZ_CFLAGS = $(SAN_CFLAGS) -Wno-missing-field-initializers -Wno-unknown-warning-option -fsanitize=fuzzer-no-link

ARCH ?= $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/;s/arm.*/arm/;s/ppc64.*/powerpc/;s/riscv64/riscv/;s/s390x/s390/;s/loongarch64/loongarch/')
# With -target bpf clang no longer finds the architecture's <asm/types.h>.
BPF_SYS_INCLUDES ?= $(shell $(CLANG) -v -E - </dev/null 2>&1 | \
	sed -n '/<...> search starts here:/$(comma)/End of search list./{ s| \(/.*\)|-idirafter \1|p }')
comma := ,
# BPF_PROG() declares every argument of a hook, and few programs use them all.
BPF_CFLAGS = -target bpf -mcpu=v3 -g -O2 -std=gnu11 -fno-stack-protector \
	-Wall -Wextra -Wshadow -Wno-unused-parameter $(if $(filter 1,$(WERROR)),-Werror) \
	-D__TARGET_ARCH_$(ARCH) -I. -Iinclude -Ibpf $(LIBS_CFLAGS) $(BPF_SYS_INCLUDES) $(RELATIVE) $(BPF_EXTRA_CFLAGS)

# 0.1.0 at the tag v0.1.0 and in a release's tarball, 0.1.0-gCOMMIT elsewhere.
UC_VERSION ?= $(shell tests/version.sh $(VERSION))

# Asked once, here, and not again for each file that is compiled.
CLANG := $(CLANG)
BPFTOOL := $(BPFTOOL)
LIBS_CFLAGS := $(LIBS_CFLAGS)
LIBS := $(LIBS)
ARCH := $(ARCH)
BPF_SYS_INCLUDES := $(BPF_SYS_INCLUDES)
UC_VERSION := $(UC_VERSION)
FORTIFY := $(FORTIFY)

SKELETONS := $(BPF_SRCS:bpf/%.bpf.c=$(O)/%.skel.h)
# What is in some of the programs only.
MAINS := user/cmd/main.c user/cmd/elsewhere.c user/cmd/net.c user/cmd/names.c
VARIANTS := host san fuzz
# $(call objects,SOURCES): in every variant
objects = $(foreach v,$(VARIANTS),$(1:%.c=$(O)/$(v)/%.o))
SKEL_SRCS := $(shell grep -l '\.skel\.h"' $(USER_SRCS))

# --- what to build -----------------------------------------------------------------

.PHONY: all
all: $(O)/upclose $(O)/upclose-net ## Build the programs (the default)

.PHONY: deps deps-test
deps: ## Install what building needs (root; Debian, Ubuntu)
	$(Q)tests/deps.sh install build
deps-test: ## Install what the tests need, too: servers, a browser, compilers; 3 GB
	$(Q)tests/deps.sh install build test

# The dependencies are looked for once for each $(O). Building never installs anything.
$(O)/.deps: tests/deps.sh
	$(Q)tests/deps.sh need build
	$(Q)mkdir -p $(@D)
	$(Q)touch $@

# A stamp holds the words that its users depend on, and changes only when they do.
$(O)/.bpf-flags: words = $(CLANG) $(BPF_CFLAGS)
$(O)/.host-flags: words = $(CC) $(HOST_CFLAGS)
$(O)/.san-flags: words = $(CC) $(SAN_CFLAGS)
$(O)/.fuzz-flags: words = $(CLANG) $(FUZZ_CFLAGS)
$(O)/.link: words = $(CC) $(HOST_LDFLAGS) $(LIBS) $(BPF_SRCS) $(USER_SRCS)
$(O)/.version: words = $(UC_VERSION)
$(O)/.libexec: words = $(LIBEXECDIR)
.PHONY: FORCE
FORCE:
$(foreach w,bpf-flags host-flags san-flags fuzz-flags link version libexec,$(O)/.$(w)): FORCE | $(O)/.deps
	@printf '%s\n' '$(subst ','\'',$(words))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(words))' >$@

$(O)/bpf/%.bpf.o: bpf/%.bpf.c $(O)/.bpf-flags
	$(call msg,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

# Linking, also of one file alone, drops the DWARF sections and keeps BTF.
$(O)/%.bpf.o: $(O)/bpf/%.bpf.o
	$(call msg,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $<

# bpftool wrappers may say on standard output that they have no bpftool, and exit 0.
$(O)/%.skel.h: $(O)/%.bpf.o
	$(call msg,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf >$@.tmp
	$(Q)grep -q '^static inline struct $*_bpf \*$$' $@.tmp && head -n 1 $@.tmp | grep -q '^/\*' || { \
		echo 'upclose: $(BPFTOOL) did not write a skeleton, but:' >&2; head -n 5 $@.tmp >&2; exit 1; }
	$(Q)mv $@.tmp $@

$(call objects,$(SKEL_SRCS)): $(SKELETONS)

# The table of known idle timeouts as one C string.
$(O)/idle-timeouts.inc: user/share/idle-timeouts.json | $(O)/.deps
	$(Q)sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $< >$@
$(call objects,user/output/known_idle.c) $(O)/san/tests/unit/test_known_idle.o: $(O)/idle-timeouts.inc
$(call objects,user/base/version.c): $(O)/.version
# private: the stamps are no part of it, or every commit would compile everything.
$(call objects,user/base/version.c): private CPPFLAGS += -DUC_VERSION='"$(UC_VERSION)"'
$(call objects,user/cmd/elsewhere.c): $(O)/.libexec
$(call objects,user/cmd/elsewhere.c): private CPPFLAGS += -DUC_LIBEXECDIR='"$(LIBEXECDIR)"'

$(O)/host/%.o: %.c $(O)/.host-flags
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) -MMD -MP -c $< -o $@

$(O)/san/%.o: %.c $(O)/.san-flags
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SAN_CFLAGS) -MMD -MP -c $< -o $@

$(O)/fuzz/%.o: %.c $(O)/.fuzz-flags
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -MMD -MP -c $< -o $@

# $(call archive,VARIANT,LAYER): one archive a folder of user/, without the program's main()
define archive
$(O)/$(1)/$(2).a: $(patsubst %.c,$(O)/$(1)/%.o,$(filter-out $(MAINS),$(wildcard user/$(2)/*.c user/$(2)/*/*.c))) $(O)/.link
	$$(call msg,AR,$$@)
	$$(Q)rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$(filter %.o,$$^)
endef
$(foreach v,$(VARIANTS),$(foreach l,$(LAYERS),$(eval $(call archive,$(v),$(l)))))

# $(call archives,VARIANT): as the linker wants them, who calls before who is called
highest_first = $(if $(1),$(call highest_first,$(wordlist 2,$(words $(1)),$(1))) $(firstword $(1)))
archives = $(patsubst %,$(O)/$(1)/%.a,$(call highest_first,$(LAYERS)))

# Each of the libraries that its commands use, and no other.
$(O)/upclose: $(O)/host/user/cmd/main.o $(O)/host/user/cmd/elsewhere.o
$(O)/upclose-net: $(O)/host/user/cmd/net.o
$(O)/upclose $(O)/upclose-net: $(call archives,host) $(O)/.link
	$(call msg,LINK,$@)
	$(Q)$(CC) $(HOST_LDFLAGS) -Wl,--as-needed $(filter %.o,$^) $(filter %.a,$^) $(LIBS) -o $@

# --- one program without any library ---------------------------------------------------

CROSS ?=
SYSROOT ?=
STATIC_LIBS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/upclose/static/$(shell $(CC) -dumpmachine)
STATIC_PKG_CONFIG = PKG_CONFIG_PATH='$(STATIC_LIBS)/lib/pkgconfig' $(PKG_CONFIG) --static

.PHONY: static
static: $(O)/static/upclose ## One program that needs no library: $(O)/static/upclose

$(O)/.static-libs: user/share/packaging/static-libs.sh | $(O)/.deps
	$(Q)tests/deps.sh need static
	$(call msg,LIBS,$(STATIC_LIBS))
	$(Q)user/share/packaging/static-libs.sh '$(STATIC_LIBS)' $(CROSS) $(SYSROOT)
	$(Q)touch $@

# Position independent like the others. The linker warns of the name service, which names.c sees to.
$(O)/static/upclose.debug: $(O)/host/user/cmd/main.o $(O)/host/user/cmd/names.o $(call archives,host) $(O)/.link $(O)/.static-libs
	$(call msg,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -pie,$(HOST_LDFLAGS)) -static-pie -Wl,--gc-sections,--no-warnings $(filter %.o %.a,$^) \
		-L'$(STATIC_LIBS)/lib' $$($(STATIC_PKG_CONFIG) --libs $(PACKAGES)) -Wl,-Map=$(@:.debug=.map) -o $@

$(O)/static/upclose: $(O)/static/upclose.debug
	$(call msg,STRIP,$@)
	$(Q)$(CROSS:%=%-)strip -o $@ $<

-include $(shell find $(addprefix $(O)/,bpf $(VARIANTS)) -name '*.d' 2>/dev/null)

include tests/tests.mk
include user/share/packaging/packaging.mk

# --- installation -----------------------------------------------------------------------

# Mode, file and place. The configuration is not among them: once installed it is its owner's.
PROGRAM := $(if $(filter 1,$(STATIC)),$(O)/static/upclose)
PROGRAMS := $(if $(PROGRAM),755:$(PROGRAM):$(SBINDIR)/upclose, \
	755:$(O)/upclose:$(SBINDIR)/upclose 755:$(O)/upclose-net:$(LIBEXECDIR)/upclose-net)
INSTALLED := $(PROGRAMS) \
	$(foreach p,$(wildcard user/share/man/*.[1-8]),644:$(p):$(MANDIR)/man$(lastword $(subst ., ,$(p)))/$(notdir $(p))) \
	644:user/share/completion/upclose.bash:$(BASHCOMPDIR)/upclose \
	644:user/share/completion/upclose.zsh:$(ZSHCOMPDIR)/_upclose \
	644:user/share/completion/upclose.fish:$(FISHCOMPDIR)/upclose.fish \
	644:user/share/systemd/upclose.sysusers:$(SYSUSERSDIR)/upclose.conf \
	644:user/share/systemd/upclose.service:$(SYSTEMDUNITDIR)/upclose.service \
	644:user/share/systemd/upclose.socket:$(SYSTEMDUNITDIR)/upclose.socket \
	644:user/share/prometheus-rules.yaml:$(DATADIR)/prometheus-rules.yaml \
	644:user/share/prometheus-scrape.yaml:$(DATADIR)/prometheus-scrape.yaml \
	644:user/share/grafana-dashboard.json:$(DATADIR)/grafana-dashboard.json
CONFIG := $(SYSCONFDIR)/upclose/upclose.yaml

.PHONY: install
install: $(if $(filter 1,$(STATIC)),static,$(if $(PROGRAM),,all)) ## Install the programs, their manual, completion, configuration and unit files
	$(Q)for row in $(INSTALLED); do IFS=:; set -- $$row; $(INSTALL) -D -m $$1 $$2 '$(DESTDIR)'$$3 || exit 1; done
	$(Q)sed -i 's|/usr/local/sbin/|$(SBINDIR)/|; s|/etc/upclose|$(SYSCONFDIR)/upclose|' '$(DESTDIR)$(SYSTEMDUNITDIR)/upclose.service'
	$(Q)[ -e '$(DESTDIR)$(CONFIG)' ] || $(INSTALL) -D -m 644 user/share/upclose.yaml '$(DESTDIR)$(CONFIG)'

.PHONY: uninstall
uninstall: ## Remove what install put there, but the configuration
	$(Q)rm -f $(foreach row,$(INSTALLED),'$(DESTDIR)$(lastword $(subst :, ,$(row)))')

.PHONY: clean
clean: ## Remove everything that was built
	$(Q)rm -rf '$(O)'

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(filter %Makefile %.mk,$(MAKEFILE_LIST))
