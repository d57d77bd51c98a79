# SPDX-License-Identifier: BSD-2-Clause
#
# Nothing generated lands in the tree, everything is under $(O). Useful variables:
#   O=build  V=1  WERROR=1  SANITIZE=1  CC  CLANG  BPFTOOL  CFLAGS  LDFLAGS
#   PREFIX  DESTDIR  DATADIR  SBINDIR  MANDIR  SYSCONFDIR  BASHCOMPDIR  SYSTEMDUNITDIR  FUZZ_SECONDS  SOAK_SECONDS

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

VERSION := 0.1.0

O ?= build

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
SYSCONFDIR ?= /etc
DATADIR ?= $(PREFIX)/share/upclose
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
SYSTEMDUNITDIR ?= $(PREFIX)/lib/systemd/system
FUZZ_SECONDS ?= 300
SOAK_SECONDS ?= 1200

ifeq ($(V),1)
Q :=
msg :=
else
Q := @
msg = @printf '  %-8s %s\n' '$(1)' '$(patsubst $(O)/%,%,$(2))';
endif

# $(call lazy,NAME,COMMAND) sets NAME to what COMMAND prints, asked once and only
# when somebody needs it: the tools may be installed by this very run.
lazy = $(if $(filter undefined default,$(origin $(1))),$(eval $(1) = $$(eval $(1) := $$(shell $(2)))$$($(1))))

# --- tools -----------------------------------------------------------------------

ifeq ($(origin CC),default)
CC := cc
endif
PKG_CONFIG ?= pkg-config
INSTALL ?= install
$(call lazy,CLANG,tests/deps.sh find clang)
$(call lazy,BPFTOOL,tests/deps.sh find bpftool)
$(call lazy,CLANG_FORMAT,command -v clang-format || echo clang-format)
$(call lazy,CLANG_TIDY,command -v clang-tidy || echo clang-tidy)

# --- sources ----------------------------------------------------------------------

BPF_SRCS := $(wildcard bpf/*.bpf.c)
# From the lowest to the highest; tests/lint/layers.sh holds the includes to it.
LAYERS := base core source engine nginx output probe config alert check daemon cmd
USER_SRCS := $(wildcard user/*/*.c user/core/*/*.c)
HEADERS := $(wildcard vmlinux.h bpf/*.h include/*.h user/*/*.h user/core/*/*.h tests/*.h tests/unit/*.h tests/fuzz/*.h)
UNIT_SRCS := $(wildcard tests/unit/test_*.c)
FUZZ_SRCS := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRCS := $(wildcard tests/bench/*.c)

# --- flags ------------------------------------------------------------------------

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wformat=2 \
	$(if $(filter 1,$(WERROR)),-Werror)
INCLUDES := -Iinclude -Iuser -I$(O)
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
HARDENING := -fPIE -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
PACKAGES := libbpf libelf zlib jansson libcyaml yaml-0.1 libmicrohttpd libcurl libsystemd libseccomp
$(call lazy,LIBS_CFLAGS,$(PKG_CONFIG) --cflags $(PACKAGES))
$(call lazy,LIBS,$(PKG_CONFIG) --libs $(PACKAGES))

# Empty, as in a source that defines it for itself.
BASE_CFLAGS = -std=gnu11 -D_GNU_SOURCE= $(WARNINGS) $(INCLUDES) $(LIBS_CFLAGS) $(CPPFLAGS)
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

$(call lazy,ARCH,uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/;s/arm.*/arm/;s/ppc64.*/powerpc/;s/riscv64/riscv/;s/s390x/s390/;s/loongarch64/loongarch/')
# With -target bpf clang no longer finds the architecture's <asm/types.h>.
$(call lazy,BPF_SYS_INCLUDES,$$(CLANG) -v -E - </dev/null 2>&1 | \
	sed -n '/<...> search starts here:/$$(comma)/End of search list./{ s| \(/.*\)|-idirafter \1|p }')
comma := ,
# BPF_PROG() declares every argument of a hook, and few programs use them all.
BPF_CFLAGS = -target bpf -mcpu=v3 -g -O2 -std=gnu11 -fno-stack-protector \
	-Wall -Wextra -Wshadow -Wno-unused-parameter $(if $(filter 1,$(WERROR)),-Werror) \
	-D__TARGET_ARCH_$(ARCH) -I. -Iinclude -Ibpf $(LIBS_CFLAGS) $(BPF_SYS_INCLUDES)

# 0.1.0 at the tag v0.1.0 and in a release's tarball, 0.1.0-gCOMMIT elsewhere.
$(call lazy,UC_VERSION,tests/version.sh $(VERSION))

SKELETONS := $(BPF_SRCS:bpf/%.bpf.c=$(O)/%.skel.h)
MAIN := user/cmd/main
UNIT_BINS := $(UNIT_SRCS:tests/unit/%.c=$(O)/unit/%)
FUZZ_BINS := $(FUZZ_SRCS:tests/fuzz/%.c=$(O)/fuzz/%)
BENCH_BINS := $(BENCH_SRCS:tests/bench/%.c=$(O)/bench/%)
VARIANTS := host san fuzz
# $(call objects,SOURCES): in every variant
objects = $(foreach v,$(VARIANTS),$(1:%.c=$(O)/$(v)/%.o))
SKEL_SRCS := $(shell grep -l '\.skel\.h"' $(USER_SRCS))

# --- what to build -----------------------------------------------------------------

.PHONY: all
all: $(O)/upclose ## Build the program (the default)

.PHONY: check-unit-bins check-fuzz-bins
check-unit-bins: $(UNIT_BINS)
check-fuzz-bins: $(FUZZ_BINS)


# The dependencies are looked for once for each $(O). Building never installs anything.
$(O)/.deps: tests/deps.sh
	$(Q)tests/deps.sh need build
	$(Q)mkdir -p $(@D)
	$(Q)touch $@

# A stamp holds the words that its users depend on, and changes only when they do.
define stamp
$(O)/.$(1): FORCE | $(O)/.deps
	@printf '%s\n' '$$(subst ','\'',$(2))' | cmp -s - $$@ || printf '%s\n' '$$(subst ','\'',$(2))' >$$@
endef
.PHONY: FORCE
FORCE:
$(eval $(call stamp,bpf-flags,$$(CLANG) $$(BPF_CFLAGS)))
$(eval $(call stamp,host-flags,$$(CC) $$(HOST_CFLAGS)))
$(eval $(call stamp,san-flags,$$(CC) $$(SAN_CFLAGS)))
$(eval $(call stamp,fuzz-flags,$$(CLANG) $$(FUZZ_CFLAGS)))
$(eval $(call stamp,link,$$(CC) $$(HOST_LDFLAGS) $$(LIBS) $$(BPF_SRCS) $$(USER_SRCS)))
$(eval $(call stamp,version,$$(UC_VERSION)))

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
$(call objects,user/base/version.c): CPPFLAGS += -DUC_VERSION='"$(UC_VERSION)"'

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
$(O)/$(1)/$(2).a: $(patsubst %.c,$(O)/$(1)/%.o,$(filter-out $(MAIN).c,$(wildcard user/$(2)/*.c user/$(2)/*/*.c))) $(O)/.link
	$$(call msg,AR,$$@)
	$$(Q)rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$(filter %.o,$$^)
endef
$(foreach v,$(VARIANTS),$(foreach l,$(LAYERS),$(eval $(call archive,$(v),$(l)))))

# $(call archives,VARIANT): as the linker wants them, who calls before who is called
highest_first = $(if $(1),$(call highest_first,$(wordlist 2,$(words $(1)),$(1))) $(firstword $(1)))
archives = $(patsubst %,$(O)/$(1)/%.a,$(call highest_first,$(LAYERS)))

$(O)/upclose: $(O)/host/$(MAIN).o $(call archives,host) $(O)/.link
	$(call msg,LINK,$@)
	$(Q)$(CC) $(HOST_LDFLAGS) $(filter %.o %.a,$^) $(LIBS) -o $@

# The linker takes from the archives, and of the libraries, what a test really uses.
$(O)/unit/%: $(O)/san/tests/unit/%.o $(call archives,san)
	$(call msg,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SANITIZERS) $(LDFLAGS) -Wl,--as-needed $(filter %.o %.a,$^) -lcmocka $(LIBS) -lm -o $@

$(O)/fuzz/%: $(O)/fuzz/tests/fuzz/%.o $(call archives,fuzz)
	$(call msg,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(SANITIZERS) -fsanitize=fuzzer $(LDFLAGS) -Wl,--as-needed $(filter %.o %.a,$^) $(LIBS) -lm -o $@

$(O)/bench/%: tests/bench/%.c $(O)/.host-flags
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) $(HOST_LDFLAGS) $< -o $@

-include $(shell find $(O) -name '*.d' 2>/dev/null)

# --- dependencies, demonstration and tests --------------------------------------------

# The children of these goals see the tools that deps.sh has just installed.
SUBMAKE = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: deps deps-test
deps: ## Install what building needs (root; Debian, Ubuntu)
	$(Q)tests/deps.sh install build
deps-test: ## Install what the tests need, too: servers, a browser, compilers; 3 GB
	$(Q)tests/deps.sh install build test

.PHONY: demo
demo: ## Show upclose at work: nginx and upstreams that hang up on it (root)
	$(Q)tests/deps.sh auto build demo
	$(Q)+$(SUBMAKE) all
	$(Q)UPCLOSE=$(abspath $(O))/upclose python3 -u tests/demo.py

STAGES := lint unit replay fuzz e2e

.PHONY: check
check: ## Build and run every test; without root the end-to-end tests are skipped
	$(Q)tests/deps.sh auto build test
	$(Q)+O='$(O)' MAKE='$(SUBMAKE)' tests/check.sh $(STAGES)

.PHONY: check-all check-kernels
check-all: ## check and check-kernels, as one, and no warnings: what CI runs (root)
	$(Q)tests/deps.sh auto build test kernels
	$(Q)+O='$(O)' MAKE='$(SUBMAKE) WERROR=1' tests/check.sh $(STAGES) kernels
check-kernels: ## The same verdicts on kernels 5.10 to the newest and on arm64, by every hook plan, in emulated guests (root)
	$(Q)tests/deps.sh auto build kernels
	$(Q)+O='$(O)' MAKE='$(SUBMAKE)' tests/check.sh kernels
check-systemd: ## The installed unit under a real systemd, in an emulated guest (root)
	$(Q)tests/deps.sh auto build demo guests systemd
	$(Q)+O='$(O)' MAKE='$(SUBMAKE)' tests/check.sh systemd

.PHONY: readme-kernels
readme-kernels: ## Write the tables of tests/kernels/README.md from the last check-kernels
	$(Q)KERNELS_OUT=$(abspath $(O))/kernels PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests python3 -m kernels readme

.PHONY: $(STAGES:%=check-%)
check-unit: ## Unit tests, with ASan and UBSan
check-replay: ## Recordings give the expected output
check-fuzz: ## A few seconds of each fuzzer
check-e2e: ## End-to-end tests with nginx and real upstreams (root)
check-lint: ## The same as lint
$(STAGES:%=check-%): check-%:
	$(Q)+O='$(O)' MAKE='$(SUBMAKE)' tests/check.sh $*

.PHONY: lint
lint: check-lint ## Style and structure: purity of the core, licences, formatting, manual

.PHONY: fuzz
fuzz: $(FUZZ_BINS) ## Run each fuzzer for FUZZ_SECONDS
	$(Q)for f in $(notdir $(FUZZ_BINS)); do tests/fuzz.sh $(O) $$f $(FUZZ_SECONDS) || exit 1; done

.PHONY: soak
soak: all ## The daemon under mixed traffic and faults for SOAK_SECONDS: does it stay small? (root)
	$(Q)UPCLOSE=$(abspath $(O))/upclose PYTHONDONTWRITEBYTECODE=1 $$(tests/deps.sh find python3) -u tests/soak.py $(SOAK_SECONDS)

.PHONY: oracle
oracle: all ## Random faults, held against nginx's log: ORACLE_SEED, ORACLE_EXCHANGES, or ORACLE_LOGS=DIRS (root)
	$(Q)UPCLOSE=$(abspath $(O))/upclose PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests $$(tests/deps.sh find python3) -u -m oracle $(ORACLE_LOGS)

BENCH = BENCH_OUT=$(abspath $(O)) BENCH_BUILT=$(abspath $(O))/bench UPCLOSE=$(abspath $(O))/upclose \
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests python3 -u -m bench

.PHONY: bench bench-hooks bench-scale bench-growth bench-render bench-deps bench-programs
bench: ## nginx with upclose and with other tools over without: BENCH_PAIRS=7, BENCH_QUICK=1 (root)
bench-hooks: ## Nanoseconds of each hook, for tracked and untracked sockets (root)
bench-scale: ## Many connections, many failures a second, a reader that stands still (root)
bench-growth: ## CPU and memory against requests, connections and failures a second (root)
bench bench-hooks bench-scale bench-growth: bench-deps bench-programs all
	$(Q)$(BENCH) $(patsubst bench-%,%,$(@:bench=bench-compare))
bench-programs: $(BENCH_BINS)
bench-deps:
	$(Q)tests/deps.sh auto bench
	$(Q)tests/deps.sh need bench
bench-render: ## Write tests/bench/results from the last measurements
	$(Q)$(BENCH) render

.PHONY: format
format: ## Format the C sources in place
	$(Q)$(CLANG_FORMAT) -i $(BPF_SRCS) $(USER_SRCS) $(UNIT_SRCS) $(FUZZ_SRCS) $(BENCH_SRCS) $(HEADERS)

.PHONY: analyze
analyze: $(SKELETONS) ## Static analysis: clang, clang-tidy and cppcheck
	$(Q)O='$(O)' CLANG='$(CLANG)' CLANG_TIDY='$(CLANG_TIDY)' tests/analyze.sh '-std=gnu11 -D_GNU_SOURCE= $(INCLUDES) $(LIBS_CFLAGS) -DUC_VERSION="0"' \
		$(USER_SRCS)

# --- installation -----------------------------------------------------------------------

# $(call put,MODE,FILE,TARGET): FILE may be one that this version does not have
put = $(if $(wildcard $(2)),$(Q)$(INSTALL) -D -m $(1) $(2) '$(DESTDIR)$(3)')
# $(call put_new,MODE,FILE,TARGET): a configuration that is there already is its owner's
put_new = $(Q)[ -e '$(DESTDIR)$(3)' ] || $(INSTALL) -D -m $(1) $(2) '$(DESTDIR)$(3)'
# For Prometheus and Grafana.
SHARED := prometheus-rules.yaml prometheus-scrape.yaml grafana-dashboard.json
MAN_PAGES := $(wildcard user/share/man/*.[1-8])
INSTALLED := $(SBINDIR)/upclose $(foreach p,$(MAN_PAGES),$(MANDIR)/man$(lastword $(subst ., ,$(p)))/$(notdir $(p))) \
	$(BASHCOMPDIR)/upclose $(SYSTEMDUNITDIR)/upclose.service $(SYSTEMDUNITDIR)/upclose.socket $(SHARED:%=$(DATADIR)/%)

.PHONY: install
install: all ## Install the program, its manual, completion, configuration and unit file
	$(Q)$(INSTALL) -D -m 755 $(O)/upclose '$(DESTDIR)$(SBINDIR)/upclose'
	$(Q)for page in $(MAN_PAGES); do \
		$(INSTALL) -D -m 644 $$page '$(DESTDIR)$(MANDIR)'/man$${page##*.}/$${page##*/} || exit 1; done
	$(call put_new,644,user/share/upclose.yaml,$(SYSCONFDIR)/upclose/upclose.yaml)
	$(call put,644,user/share/completion/upclose.bash,$(BASHCOMPDIR)/upclose)
	$(Q)$(INSTALL) -d '$(DESTDIR)$(SYSTEMDUNITDIR)'
	$(Q)sed 's|/usr/local/sbin/|$(SBINDIR)/|; s|/etc/upclose|$(SYSCONFDIR)/upclose|' user/share/systemd/upclose.service \
		>'$(DESTDIR)$(SYSTEMDUNITDIR)/upclose.service'
	$(call put,644,user/share/systemd/upclose.socket,$(SYSTEMDUNITDIR)/upclose.socket)
	$(Q)$(INSTALL) -d '$(DESTDIR)$(DATADIR)'
	$(Q)$(INSTALL) -m 644 $(SHARED:%=user/share/%) '$(DESTDIR)$(DATADIR)/'

.PHONY: uninstall
uninstall: ## Remove what install put there, but the configuration
	$(Q)rm -f $(foreach f,$(INSTALLED),'$(DESTDIR)$(f)')

.PHONY: clean
clean: ## Remove everything that was built
	$(Q)rm -rf '$(O)'

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
