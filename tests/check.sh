#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
#   tests/check.sh STAGE...        STAGE: lint unit replay fuzz e2e suite artifacts kernels systemd
#
# Called by make. Builds what the stages need, runs each of them whatever the others
# did, and ends with one line: N passed, N failed, N skipped.
#
#   UPCLOSE_REQUIRE_BPF=1   end-to-end tests fail, where otherwise they are skipped
#   CHECK_SECONDS=1500      all stages together; what runs longer is stopped and failed
#   FUZZ_SMOKE_SECONDS=5    each fuzzer
#   E2E_JOBS=3              files of end-to-end tests at a time
set -u -o pipefail

: "${O:=build}" "${MAKE:=make}" "${CHECK_SECONDS:=1500}" "${FUZZ_SMOKE_SECONDS:=5}" "${E2E_JOBS:=3}"
export O PYTHONDONTWRITEBYTECODE=1
UPCLOSE=$(realpath -m "$O")/upclose
export UPCLOSE
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

work=$O/check
rm -rf "$work"
mkdir -p "$work" || exit 1
results=$work/results
: >"$results"

# A result is "ok NAME", "not ok NAME: why" or "skip NAME: why".
record() { echo "$*" | tee -a "$results"; }

left() {
	local seconds=$((CHECK_SECONDS - SECONDS))
	echo $((seconds > 20 ? seconds : 20))
}

indent() { sed -u 's/^/    /'; }

# limited COMMAND...: the command, indented, stopped when the time is up
limited() {
	timeout -s INT -k 20 "$(left)" "$@" 2>&1 </dev/null | indent
}

# built TARGET...: $MAKE may be several words
built() {
	# shellcheck disable=SC2086
	$MAKE "$@"
}

# Where a function's output is its value, talk goes here.
exec 3>&1

# binaries KIND: prints the tests of that kind that are up to date, records the others
binaries() {
	local kind=$1 source name
	built -k "check-$kind-bins" >"$work/build-$kind" 2>&1
	local status=$?
	indent <"$work/build-$kind" >&3
	for source in tests/"$kind"/"${kind/unit/test}"_*.c; do
		[ -e "$source" ] || continue
		name=$(basename "$source" .c)
		if [ $status -eq 0 ] || built -s "$O/$kind/$name" >/dev/null 2>&1; then
			echo "$name"
		else
			record "not ok $kind $name: does not build" >&3
		fi
	done
}

# --- stages --------------------------------------------------------------------------

stage_lint() {
	local script name
	for script in tests/lint/*.sh; do
		name=$(basename "$script" .sh)
		[ "$name" != lib ] || continue
		limited "$script" | sed -u 's/^    //' >"$work/lint-$name"
		grep -Ev '^(ok|not ok|skip) ' "$work/lint-$name" | indent
		grep -E '^(ok|not ok|skip) ' "$work/lint-$name" | tee -a "$results" ||
			record "not ok lint $name: it reported nothing"
	done
}

# Counts each test of a cmocka program. A test without an end is where it crashed.
cmocka_results() {
	awk -v program="$1" -v status="$2" '
		function ended(result) {
			if (name != "") { print result " unit " program " " name; seen++ }
			if (result ~ /^not/) failed++
			name = ""
		}
		/^\[ RUN      \] / { ended("not ok"); name = substr($0, 14); next }
		name == "" { next }
		/^\[       OK \] / { ended("ok") }
		/^\[  SKIPPED \] / { ended("skip") }
		/^\[  (FAILED|ERROR)/ { ended("not ok") }
		END {
			ended("not ok")
			if (!seen) print "not ok unit " program ": it ran no test"
			else if (status && !failed) print "not ok unit " program ": exit status " status
		}'
}

stage_unit() {
	local name status names
	if ! pkg-config cmocka; then
		record "skip unit: needs cmocka"
		return
	fi
	names=$(binaries unit)
	for name in $names; do
		timeout -k 5 "$(($(left) < 120 ? $(left) : 120))" "$O/unit/$name" >"$work/$name" 2>&1 </dev/null
		status=$?
		cmocka_results "$name" $status <"$work/$name" >"$work/$name.results"
		if grep -q '^not ok' "$work/$name.results"; then
			indent <"$work/$name"
			grep '^not ok' "$work/$name.results"
		fi
		echo "unit $name: $(grep -c '^ok' "$work/$name.results") passed"
		cat "$work/$name.results" >>"$results"
	done
	[ -n "$names" ] || grep -q '^not ok unit' "$results" || record "skip unit: no tests"
}

stage_replay() {
	local status
	if [ ! -x "$UPCLOSE" ]; then
		record "not ok replay: no program"
		return
	fi
	if [ ! -e tests/replay/run.sh ]; then
		record "skip replay: no tests"
		return
	fi
	timeout -k 20 "$(left)" tests/replay/run.sh "$UPCLOSE" >"$work/replay" 2>&1 </dev/null
	status=$?
	indent <"$work/replay"
	sed -n -E \
		-e 's/^(ok .*)# *(SKIP|skip).*/skip replay \1/p; t' \
		-e 's/^(ok|not ok|skip)( [0-9]+)?( -)? (.*)/\1 replay \4/p' "$work/replay" >"$work/replay.results"
	cat "$work/replay.results" >>"$results"
	if [ $status -ne 0 ] && ! grep -q '^not ok' "$work/replay.results"; then
		record "not ok replay: exit status $status"
	elif [ ! -s "$work/replay.results" ]; then
		record "ok replay"
	fi
}

stage_fuzz() {
	local name names
	if ! tests/deps.sh missing test | grep -q '^clang-rt$'; then
		names=$(binaries fuzz)
		for name in $names; do
			if limited tests/fuzz.sh "$O" "$name" "$FUZZ_SMOKE_SECONDS" smoke; then
				record "ok fuzz $name"
			else
				record "not ok fuzz $name"
			fi
		done
		[ -n "$names" ] || grep -q '^not ok fuzz' "$results" || record "skip fuzz: no fuzzers"
	else
		record "skip fuzz: needs clang's libFuzzer"
	fi
}

e2e_names() {
	"$1" -m pytest -p no:cacheprovider --collect-only -q tests/e2e 2>/dev/null </dev/null |
		sed -n 's/^tests\/e2e\/\(.*::.*\)/\1/p'
}

stage_e2e() {
	local python name names
	if ! compgen -G 'tests/e2e/test_*.py' >/dev/null; then
		record "skip e2e: no tests"
		return
	fi
	python=$(tests/deps.sh find python3) || python=
	if [ "$(id -u)" -ne 0 ]; then
		if [ "${UPCLOSE_REQUIRE_BPF:-}" = 1 ]; then
			record "not ok e2e: needs root"
			return
		fi
		names=$([ -z "$python" ] || e2e_names "$python")
		[ -n "$names" ] || record "skip e2e: needs root"
		[ -z "$names" ] || while read -r name; do
			record "skip e2e $name: needs root"
		done <<<"$names"
		return
	fi
	if [ -z "$python" ]; then
		record "not ok e2e: needs python3-pytest"
		return
	fi
	if [ ! -x "$UPCLOSE" ]; then
		record "not ok e2e: no program"
		return
	fi
	# Most of a test is waiting, so several files run at a time; those that measure time run alone.
	e2e_part "$python" together "not alone" -n "$E2E_JOBS" --dist loadfile
	e2e_part "$python" alone alone -n 0
}

# e2e_part PYTHON NAME MARKS OPTION...
e2e_part() {
	local python=$1 name=$2 marks=$3 status
	shift 3
	limited "$python" -m pytest -p no:cacheprovider --color=no -v --tb=short -m "$marks" "$@" \
		--junitxml="$work/e2e-$name.xml" -o junit_family=xunit2 tests/e2e
	status=$?
	"$python" tests/junit.py e2e "$work/e2e-$name.xml" >"$work/e2e-$name.results"
	cat "$work/e2e-$name.results" >>"$results"
	case $status in
	0) ;;
	124 | 137) record "not ok e2e $name: stopped, its time is up" ;;
	*) grep -q '^not ok' "$work/e2e-$name.results" || record "not ok e2e $name: pytest's exit status $status" ;;
	esac
}

# guests STAGE ITEM...: whether guests can be booted, with these items in them; recorded where not
guests() {
	local stage=$1 missing why=
	shift
	missing=$(tests/deps.sh missing guests "$@")
	if [ "$(id -u)" -ne 0 ]; then
		why="needs root"
	elif [ -n "$missing" ]; then
		why="needs $(echo "$missing" | tr '\n' ' ')"
	fi
	if [ -n "$why" ] && [ "${UPCLOSE_REQUIRE_BPF:-}" != 1 ]; then
		record "skip $stage: $why"
		return 1
	elif [ -n "$why" ] || [ ! -x "$UPCLOSE" ]; then
		record "not ok $stage: ${why:-no program}"
		return 1
	fi
}

# Prints its own results; kernels that cannot be had are skipped by name. In the guests runs the program that
# needs no library, as it is given away for all of them.
stage_kernels() {
	local program=$UPCLOSE
	guests kernels demo || return
	if built static >"$work/static" 2>&1 </dev/null; then
		program=$(realpath -m "$O")/static/upclose
	else
		tail -n 5 "$work/static" | indent
		record "not ok kernels static builds"
	fi
	O="$O/toolchains" MAKE="$MAKE" limited tests/kernels/toolchains.sh | sed -u 's/^    //' | tee "$work/toolchains"
	grep -E '^(ok|not ok|skip) ' "$work/toolchains" >>"$results"
	UPCLOSE=$program UPCLOSE_ARM64=$(realpath -m "$O")/toolchains/arm64/static/upclose KERNELS_OUT=$(realpath -m "$O")/kernels PYTHONPATH=tests timeout -s INT -k 20 "$(left)" \
		python3 -u -m kernels run </dev/null 2>&1 | tee "$work/kernels" | grep -Ev '^ok ' | indent
	grep -E '^(ok|not ok|skip) ' "$work/kernels" >>"$results" || record "not ok kernels: no guest reported"
	echo "kernels: $(grep -c '^ok' "$work/kernels") passed"
}

# The unit under systemd, in a guest, as make install puts it there.
stage_systemd() {
	local root=$work/systemd-root out
	guests systemd demo systemd || return
	out=$(realpath -m "$O")/systemd
	if ! built install DESTDIR="$(realpath -m "$root")" >"$work/systemd-install" 2>&1; then
		indent <"$work/systemd-install"
		record "not ok systemd: make install fails"
		return
	fi
	PYTHONPATH=tests limited python3 -u -m systemd "$out" "$root"
	python3 tests/junit.py systemd "$out/report.xml" | sed 's/ tests\.systemd\.test_service::/ /' >"$work/systemd.results"
	grep '^not ok' "$work/systemd.results"
	cat "$work/systemd.results" >>"$results"
	echo "systemd: $(grep -c '^ok' "$work/systemd.results") passed"
}

# What is given away: built in other folders, packed, installed in roots made for it.
stage_artifacts() {
	local python status
	if ! python=$(tests/deps.sh find python3); then
		record "not ok artifacts: needs python3-pytest"
		return
	fi
	MAKEFLAGS='' limited "$python" -m pytest -p no:cacheprovider --color=no -v --tb=short \
		--junitxml="$work/artifacts.xml" -o junit_family=xunit2 tests/artifacts
	status=$?
	"$python" tests/junit.py artifacts "$work/artifacts.xml" >"$work/artifacts.results"
	cat "$work/artifacts.results" >>"$results"
	[ $status -eq 0 ] || grep -q '^not ok' "$work/artifacts.results" || record "not ok artifacts: pytest's exit status $status"
}

# nginx's own test suite as a judge, where it is to be had.
stage_suite() {
	local out=$work/suite
	PYTHONPATH=tests limited python3 -u -m suite | tee "$out"
	if [ "${PIPESTATUS[0]}" -eq 0 ] && grep -q 'skip suite' "$out"; then
		record "$(grep -o 'skip suite.*' "$out")"
	elif grep -q ' 0 disagreements$' "$out"; then
		record "ok suite"
	else
		record "not ok suite: $(tail -n 1 "$out" | sed 's/^ *//')"
	fi
}

# --- all together ----------------------------------------------------------------------

echo "== build"
if built all bench-programs 2>&1 </dev/null | indent; then
	record "ok build"
else
	# What an earlier run built says nothing on these sources.
	rm -f "$O/upclose"
	record "not ok build"
fi

for stage in "$@"; do
	echo "== $stage"
	"stage_$stage"
done

# A build by root does not get in its owner's way.
if [ "$(id -u)" -eq 0 ] && [ "${O#/}" = "$O" ]; then
	chown -hR --reference=. "$O"
fi

passed=$(grep -c '^ok ' "$results")
failed=$(grep -c '^not ok ' "$results")
skipped=$(grep -c '^skip ' "$results")
echo "== result, after $SECONDS seconds"
grep -E '^(not ok|skip) ' "$results"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
