# SPDX-License-Identifier: BSD-2-Clause
#
# Included by the Makefile: what tests, measures and shows the program. Useful variables:
#   FUZZ_SECONDS=300  SOAK_SECONDS=1200  ORACLE_SEED  ORACLE_EXCHANGES  BENCH_PAIRS  BENCH_QUICK
# tests/check.sh has those of the checks.

FUZZ_SECONDS ?= 300
SOAK_SECONDS ?= 1200

UNIT_SRCS := $(wildcard tests/unit/test_*.c)
FUZZ_SRCS := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRCS := $(wildcard tests/bench/*.c)
UNIT_BINS := $(UNIT_SRCS:tests/unit/%.c=$(O)/unit/%)
FUZZ_BINS := $(FUZZ_SRCS:tests/fuzz/%.c=$(O)/fuzz/%)
BENCH_BINS := $(BENCH_SRCS:tests/bench/%.c=$(O)/bench/%)

# The children of these goals see the tools that deps.sh has just installed.
SUBMAKE = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

# --- binaries -------------------------------------------------------------------------

.PHONY: check-unit-bins check-fuzz-bins bench-programs
check-unit-bins: $(UNIT_BINS)
check-fuzz-bins: $(FUZZ_BINS)
bench-programs: $(BENCH_BINS)

$(O)/san/scenarios.a: $(O)/san/tests/unit/scenario.o
	$(call msg,AR,$@)
	$(Q)$(AR) rcs $@ $^

# The linker takes from the archives, and of the libraries, what a test really uses.
$(O)/unit/%: $(O)/san/tests/unit/%.o $(O)/san/scenarios.a $(call archives,san)
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

# --- checks ---------------------------------------------------------------------------

STAGES := lint unit replay fuzz e2e

.PHONY: check
check: ## Build and run every test; without root the end-to-end tests are skipped
	$(Q)tests/deps.sh auto build test
	$(Q)+O='$(O)' MAKE='$(SUBMAKE)' tests/check.sh $(STAGES)

.PHONY: check-all check-kernels check-artifacts check-systemd
check-all: ## check, suite, check-artifacts and check-kernels, as one, and no warnings: what CI runs (root)
	$(Q)tests/deps.sh auto build test artifacts kernels
	$(Q)+O='$(O)' MAKE='$(SUBMAKE) WERROR=1' CHECK_SECONDS="$${CHECK_SECONDS:-4200}" tests/check.sh $(STAGES) suite artifacts kernels
check-kernels: ## The same verdicts on kernels 5.10 to the newest and on arm64, by every hook plan, in emulated guests (root)
	$(Q)tests/deps.sh auto build static kernels
	$(Q)+O='$(O)' MAKE='$(SUBMAKE)' tests/check.sh kernels
check-artifacts: ## What is given away: reproducible, packed, installed and run in roots made for it (root)
	$(Q)tests/deps.sh auto build test artifacts
	$(Q)+O='$(O)' MAKE='$(SUBMAKE)' tests/check.sh artifacts
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
check-lint: ## Style and structure: purity of the core, licences, formatting, manual
$(STAGES:%=check-%): check-%:
	$(Q)+O='$(O)' MAKE='$(SUBMAKE)' tests/check.sh $*

# --- style ----------------------------------------------------------------------------

.PHONY: format
format: ## Format the C sources in place
	$(Q)$(CLANG_FORMAT) -i $(BPF_SRCS) $(USER_SRCS) $(UNIT_SRCS) $(FUZZ_SRCS) $(BENCH_SRCS) $(HEADERS)

.PHONY: analyze
analyze: $(SKELETONS) ## Static analysis: clang, clang-tidy and cppcheck
	$(Q)O='$(O)' CLANG='$(CLANG)' CLANG_TIDY='$(CLANG_TIDY)' tests/analyze.sh '-std=gnu11 -D_GNU_SOURCE= $(INCLUDES) $(LIBS_CFLAGS) -DUC_VERSION="0" -DUC_LIBEXECDIR="/"' \
		$(USER_SRCS)

# --- longer runs ----------------------------------------------------------------------

.PHONY: demo
demo: ## Show upclose at work: nginx and upstreams that hang up on it (root)
	$(Q)tests/deps.sh auto build demo
	$(Q)+$(SUBMAKE) all
	$(Q)UPCLOSE=$(abspath $(O))/upclose python3 -u tests/demo.py

.PHONY: fuzz
fuzz: $(FUZZ_BINS) ## Run each fuzzer for FUZZ_SECONDS
	$(Q)for f in $(notdir $(FUZZ_BINS)); do tests/fuzz.sh $(O) $$f $(FUZZ_SECONDS) || exit 1; done

.PHONY: soak
soak: all ## The daemon under mixed traffic and faults for SOAK_SECONDS: does it stay small? (root)
	$(Q)UPCLOSE=$(abspath $(O))/upclose PYTHONDONTWRITEBYTECODE=1 $$(tests/deps.sh find python3) -u tests/soak.py $(SOAK_SECONDS)

.PHONY: oracle
oracle: all ## Random faults, held against nginx's log: ORACLE_SEED, ORACLE_EXCHANGES, or ORACLE_LOGS=DIRS (root)
	$(Q)UPCLOSE=$(abspath $(O))/upclose PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests $$(tests/deps.sh find python3) -u -m oracle $(ORACLE_LOGS)

.PHONY: suite
suite: all ## nginx's own test suite as a judge: SUITE_FILES (all), UPCLOSE_NGINX_TESTS=CHECKOUT (fetched) (root)
	$(Q)UPCLOSE=$(abspath $(O))/upclose PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests $$(tests/deps.sh find python3) -u -m suite $(SUITE_FILES)

# --- measures -------------------------------------------------------------------------

BENCH = BENCH_OUT=$(abspath $(O)) BENCH_BUILT=$(abspath $(O))/bench UPCLOSE=$(abspath $(O))/upclose \
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests python3 -u -m bench

.PHONY: bench bench-hooks bench-scale bench-growth bench-render bench-deps
bench: ## nginx with upclose and with other tools over without: BENCH_PAIRS=7, BENCH_QUICK=1 (root)
bench-hooks: ## Nanoseconds of each hook, for tracked and untracked sockets (root)
bench-scale: ## Many connections, many failures a second, a reader that stands still (root)
bench-growth: ## CPU and memory against requests, connections and failures a second (root)
bench bench-hooks bench-scale bench-growth: bench-deps bench-programs all
	$(Q)$(BENCH) $(patsubst bench-%,%,$(@:bench=bench-compare))
bench-deps:
	$(Q)tests/deps.sh auto bench
	$(Q)tests/deps.sh need bench
bench-render: ## Write tests/bench/results from the last measurements
	$(Q)$(BENCH) render
