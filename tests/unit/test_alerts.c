/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/alerts.h"
#include "build.h"

#define UP     "10.0.0.5:3000"
#define WINDOW (60 * S) /* a slice is a second */
#define T0     (1000 * S)
#define WALL   (1700000000 * S)

static const struct uc_alert_rule usual = { .name = "race",
					    .verdicts = UC_ALERT_VERDICT(UC_VERDICT_KEEPALIVE_RACE),
					    .severity = UC_ALERT_WARNING,
					    .count = 3,
					    .window_ns = WINDOW };

static struct uc_alerts *alerts;
static struct uc_alert said;

static void begin(const struct uc_alert_rule *r)
{
	uc_alerts_free(alerts);
	alerts = NULL;
	assert_int_equal(uc_alerts_new(r, 1, &alerts), 0);
	memset(&said, 0, sizeof(said));
}

static int tear_down(void **state)
{
	(void)state;
	uc_alerts_free(alerts);
	alerts = NULL;
	return 0;
}

static struct uc_alert_end end_at(uint64_t time_ns)
{
	return (struct uc_alert_end){ .upstream = UP,
				      .verdict = UC_VERDICT_KEEPALIVE_RACE,
				      .outcome = UC_OUTCOME_CLIENT_ERROR,
				      .confidence = UC_CONFIDENCE_PROVEN,
				      .time_ns = time_ns };
}

static bool race(const char *upstream, uint64_t now)
{
	struct uc_alert_end end = end_at(now);

	end.upstream = upstream;
	return uc_alerts_note(alerts, &end, now);
}

static void races(unsigned count, uint64_t now)
{
	for (unsigned i = 0; i < count; i++)
		race(UP, now);
}

/* The one change by then, or UC_ALERT_NONE. */
static enum uc_alert_change step(uint64_t now)
{
	struct uc_alert more;

	if (!uc_alerts_step(alerts, now, WALL + now, &said))
		return UC_ALERT_NONE;
	assert_false(uc_alerts_step(alerts, now, WALL + now, &more));
	return said.change;
}

static void test_counts(void **state)
{
	(void)state;
	begin(&usual);
	assert_true(uc_alerts_deadline(alerts) == UINT64_MAX);
	races(2, T0);
	assert_int_equal(step(T0), UC_ALERT_NONE);
	races(1, T0 + MS);
	assert_int_equal(step(T0 + MS), UC_ALERT_FIRES);
	assert_string_equal(said.rule->name, "race");
	assert_string_equal(said.upstream, UP);
	assert_int_equal(said.state, UC_ALERT_FIRING);
	assert_false(said.withdrawn);
	assert_int_equal(said.matched, 3);
	assert_int_equal(said.total, 3);
	assert_int_equal(said.by_verdict[UC_VERDICT_KEEPALIVE_RACE], 3);
	assert_int_equal(said.by_outcome[UC_OUTCOME_CLIENT_ERROR], 3);
	assert_int_equal(said.first_ns, T0);
	assert_int_equal(said.last_ns, T0 + MS);
	assert_int_equal(said.since_ns, T0 + MS);
	assert_int_equal(said.fired_ns, T0 + MS);
	assert_int_equal(said.fired_wall_ns, WALL + T0 + MS);
	/* more of the same says nothing new */
	races(100, T0 + 2 * MS);
	assert_int_equal(step(T0 + 2 * MS), UC_ALERT_NONE);
}

/* Upstreams are told apart. */
static void test_by_upstream(void **state)
{
	(void)state;
	begin(&usual);
	race("a:1", T0);
	race("a:2", T0);
	race("b:1", T0);
	assert_int_equal(step(T0), UC_ALERT_NONE);
	race("b:1", T0);
	race("b:1", T0);
	assert_int_equal(step(T0), UC_ALERT_FIRES);
	assert_string_equal(said.upstream, "b:1");
}

/* An event counts for the window, and at most one slice more. */
static void test_window_edges(void **state)
{
	static const uint64_t within[] = { 0, 1, 500 * MS, S - 1 };

	(void)state;
	for (size_t i = 0; i < COUNT(within); i++) {
		uint64_t t = T0 + within[i], gone = T0 + WINDOW + S;

		begin(&usual);
		races(3, t);
		assert_int_equal(step(t), UC_ALERT_FIRES);
		assert_int_equal(step(t + WINDOW), UC_ALERT_NONE);
		assert_int_equal(step(gone - 1), UC_ALERT_NONE);
		assert_int_equal(step(gone), UC_ALERT_RESOLVES);
		assert_true(gone - t > WINDOW && gone - t <= WINDOW + S);
		assert_int_equal(said.matched, 0);
		assert_int_equal(said.total, 3);
		assert_int_equal(said.state, UC_ALERT_INACTIVE);
		assert_false(said.withdrawn);
		assert_true(uc_alerts_deadline(alerts) == UINT64_MAX);
	}
}

/* As the first leave, one more keeps it firing. */
static void test_window_slides(void **state)
{
	(void)state;
	begin(&usual);
	races(1, T0);
	races(1, T0 + 20 * S);
	races(1, T0 + 40 * S);
	assert_int_equal(step(T0 + 40 * S), UC_ALERT_FIRES);
	races(1, T0 + 60 * S);
	assert_int_equal(step(T0 + 61 * S), UC_ALERT_NONE);
	assert_int_equal(step(T0 + 80 * S + 999 * MS), UC_ALERT_NONE);
	assert_int_equal(step(T0 + 81 * S), UC_ALERT_RESOLVES);
	assert_int_equal(said.matched, 2);
	assert_int_equal(said.total, 4);
}

/* A connection waits for its other end or its outcome: events may be late, and count at their time. */
static void test_late_events(void **state)
{
	struct uc_alert_end late = end_at(T0 - 30 * S), old = end_at(T0 - WINDOW - 2 * S),
			    future = end_at(T0 + 3600 * S), beginning = end_at(0);

	(void)state;
	begin(&usual);
	races(2, T0);
	uc_alerts_note(alerts, &old, T0);
	assert_int_equal(step(T0), UC_ALERT_NONE);
	uc_alerts_note(alerts, &beginning, T0);
	assert_int_equal(step(T0), UC_ALERT_NONE);
	uc_alerts_note(alerts, &late, T0);
	assert_int_equal(step(T0), UC_ALERT_FIRES);
	assert_int_equal(said.total, 3);
	assert_int_equal(step(T0 + 30 * S), UC_ALERT_NONE);
	assert_int_equal(step(T0 + 31 * S), UC_ALERT_RESOLVES);

	/* one from the future counts now, and moves no clock */
	begin(&usual);
	races(2, T0);
	uc_alerts_note(alerts, &future, T0);
	assert_int_equal(step(T0), UC_ALERT_FIRES);
	assert_int_equal(said.last_ns, T0);
	assert_int_equal(step(T0 + WINDOW + S), UC_ALERT_RESOLVES);
}

static void test_clock_goes_back(void **state)
{
	(void)state;
	begin(&usual);
	races(2, T0);
	assert_int_equal(step(T0 - 500 * S), UC_ALERT_NONE);
	races(1, T0 - 500 * S);
	assert_int_equal(step(T0 - 500 * S), UC_ALERT_NONE);
	races(1, T0);
	assert_int_equal(step(T0 - S), UC_ALERT_FIRES);
	assert_int_equal(said.now_ns, T0);
	assert_int_equal(step(0), UC_ALERT_NONE);
	assert_int_equal(step(T0 + WINDOW + S), UC_ALERT_RESOLVES);
}

/* When it began is a fact, whatever happens to the wall clock. */
static void test_wall_clock_steps(void **state)
{
	struct uc_alert_rule r = usual;

	(void)state;
	r.repeat_ns = 10 * S;
	begin(&r);
	races(3, T0);
	assert_true(uc_alerts_step(alerts, T0, WALL, &said));
	assert_false(uc_alerts_step(alerts, T0, WALL, &said));
	assert_true(uc_alerts_step(alerts, T0 + 10 * S, WALL - 5000 * S, &said));
	assert_int_equal(said.change, UC_ALERT_REPEATS);
	assert_int_equal(said.fired_wall_ns, WALL);
	assert_false(uc_alerts_step(alerts, T0 + 10 * S, WALL - 5000 * S, &said));
	assert_true(uc_alerts_step(alerts, T0 + 61 * S, WALL + 5000 * S, &said));
	assert_int_equal(said.change, UC_ALERT_RESOLVES);
	assert_int_equal(said.fired_wall_ns, WALL);
}

/* A suspended host: hours in one step. */
static void test_clock_jumps(void **state)
{
	(void)state;
	begin(&usual);
	races(3, T0);
	assert_int_equal(step(T0), UC_ALERT_FIRES);
	assert_int_equal(step(T0 + 1000000 * S), UC_ALERT_RESOLVES);
	races(3, UINT64_MAX - S);
	assert_int_equal(step(UINT64_MAX - S), UC_ALERT_FIRES);
	assert_int_equal(step(UINT64_MAX), UC_ALERT_NONE);
}

static void test_hold(void **state)
{
	struct uc_alert_rule r = usual;

	(void)state;
	r.hold_ns = 10 * S;
	begin(&r);
	races(3, T0);
	assert_int_equal(step(T0), UC_ALERT_PENDS);
	assert_int_equal(said.state, UC_ALERT_PENDING);
	assert_int_equal(said.fired_ns, 0);
	assert_int_equal(step(T0 + 10 * S - 1), UC_ALERT_NONE);
	assert_int_equal(uc_alerts_deadline(alerts), T0 + 10 * S);
	assert_int_equal(step(T0 + 10 * S), UC_ALERT_FIRES);
	assert_int_equal(said.since_ns, T0);
	assert_int_equal(said.fired_ns, T0 + 10 * S);

	/* what ends before is not said to have fired */
	r.hold_ns = 100 * S;
	begin(&r);
	races(3, T0);
	assert_int_equal(step(T0), UC_ALERT_PENDS);
	assert_int_equal(step(T0 + 61 * S), UC_ALERT_DROPS);
	assert_int_equal(step(T0 + 200 * S), UC_ALERT_NONE);
	/* and the time it held is not sent on */
	races(3, T0 + 200 * S);
	assert_int_equal(step(T0 + 200 * S), UC_ALERT_PENDS);
	assert_int_equal(said.since_ns, T0 + 200 * S);
}

static void test_cooldown(void **state)
{
	struct uc_alert_rule r = usual;
	const uint64_t resolved = T0 + 61 * S;

	(void)state;
	r.cooldown_ns = 100 * S;
	begin(&r);
	races(3, T0);
	assert_int_equal(step(T0), UC_ALERT_FIRES);
	assert_int_equal(step(resolved), UC_ALERT_RESOLVES);
	/* too early, and over before the cooldown is */
	races(3, resolved + 5 * S);
	assert_int_equal(step(resolved + 5 * S), UC_ALERT_PENDS);
	assert_int_equal(step(resolved + 66 * S), UC_ALERT_DROPS);
	/* still holds at the end of the cooldown */
	races(3, resolved + 90 * S);
	assert_int_equal(step(resolved + 90 * S), UC_ALERT_PENDS);
	assert_int_equal(step(resolved + 100 * S - 1), UC_ALERT_NONE);
	assert_int_equal(uc_alerts_deadline(alerts), resolved + 100 * S);
	assert_int_equal(step(resolved + 100 * S), UC_ALERT_FIRES);
	assert_int_equal(said.since_ns, resolved + 90 * S);
	assert_int_equal(said.fired_ns, resolved + 100 * S);
}

static void test_repeat(void **state)
{
	struct uc_alert_rule r = usual;

	(void)state;
	r.repeat_ns = 40 * S;
	begin(&r);
	races(3, T0);
	assert_int_equal(step(T0), UC_ALERT_FIRES);
	races(3, T0 + 30 * S);
	assert_int_equal(step(T0 + 40 * S - 1), UC_ALERT_NONE);
	assert_int_equal(uc_alerts_deadline(alerts), T0 + 40 * S);
	assert_int_equal(step(T0 + 40 * S), UC_ALERT_REPEATS);
	assert_int_equal(said.state, UC_ALERT_FIRING);
	assert_int_equal(said.fired_ns, T0);
	assert_int_equal(said.matched, 6);
	assert_int_equal(step(T0 + 41 * S), UC_ALERT_NONE);
	/* a late look says it once */
	races(3, T0 + 60 * S);
	assert_int_equal(step(T0 + 100 * S), UC_ALERT_REPEATS);
	assert_int_equal(step(T0 + 121 * S), UC_ALERT_RESOLVES);
}

/* Above one threshold of a share, and of a number. */
static void test_share(void **state)
{
	struct uc_alert_rule r = usual;

	(void)state;
	r.share_ppm = 10000;
	begin(&r);
	uc_alerts_exchanges(alerts, UP, 301, T0);
	races(3, T0);
	assert_int_equal(step(T0), UC_ALERT_NONE);
	uc_alerts_exchanges(alerts, UP, 99, T0 + S);
	races(1, T0 + S);
	assert_int_equal(step(T0 + S), UC_ALERT_FIRES); /* exactly 1 % */
	assert_int_equal(said.exchanges, 400);
	uc_alerts_exchanges(alerts, UP, 1, T0 + S);
	assert_int_equal(step(T0 + 2 * S), UC_ALERT_RESOLVES);

	/* a high share of a few is not enough */
	begin(&r);
	uc_alerts_exchanges(alerts, UP, 2, T0);
	races(2, T0);
	assert_int_equal(step(T0), UC_ALERT_NONE);

	/* no exchange was begun: nothing but failures */
	begin(&r);
	races(3, T0);
	assert_int_equal(step(T0), UC_ALERT_FIRES);
	assert_int_equal(said.exchanges, 0);

	/* the good ones leave the window first */
	begin(&r);
	uc_alerts_exchanges(alerts, UP, 1000000, T0);
	races(3, T0 + 30 * S);
	assert_int_equal(step(T0 + 30 * S), UC_ALERT_NONE);
	assert_int_equal(step(T0 + 61 * S - 1), UC_ALERT_NONE);
	assert_int_equal(uc_alerts_deadline(alerts), T0 + 61 * S);
	assert_int_equal(step(T0 + 61 * S), UC_ALERT_FIRES);

	/* of another upstream */
	begin(&r);
	uc_alerts_exchanges(alerts, "10.0.0.6:3000", 1000000, T0);
	races(3, T0);
	assert_int_equal(step(T0), UC_ALERT_FIRES);
}

static void test_huge_numbers(void **state)
{
	struct uc_alert_rule r = usual;

	(void)state;
	r.share_ppm = 1;
	begin(&r);
	for (unsigned i = 0; i < 60; i++)
		for (unsigned k = 0; k < 4; k++)
			uc_alerts_exchanges(alerts, UP, UINT64_MAX, T0 + i * S);
	races(5000, T0 + 59 * S);
	assert_int_equal(step(T0 + 59 * S), UC_ALERT_NONE);
	assert_int_equal(step(T0 + 119 * S), UC_ALERT_FIRES);
	assert_int_equal(said.exchanges, UINT32_MAX);
	assert_int_equal(step(T0 + 120 * S), UC_ALERT_RESOLVES);
	assert_int_equal(said.exchanges, 0);
}

static void test_what_counts(void **state)
{
	struct uc_alert_rule r = usual;
	struct uc_alert_end end = end_at(T0);

	(void)state;
	r.count = 1;
	r.verdicts |= UC_ALERT_VERDICT(UC_VERDICT_UPSTREAM_DIED);
	r.outcomes = 1 << UC_OUTCOME_CLIENT_ERROR;
	strcpy(r.upstream, "10.0.*:3000");
	begin(&r);
	end.verdict = UC_VERDICT_COMPLETE;
	assert_false(uc_alerts_note(alerts, &end, T0));
	end = end_at(T0);
	end.outcome = UC_OUTCOME_RETRIED;
	assert_false(uc_alerts_note(alerts, &end, T0));
	end = end_at(T0);
	end.upstream = "10.1.0.5:3000";
	assert_false(uc_alerts_note(alerts, &end, T0));
	end = end_at(T0);
	end.verdict = UC_VERDICT_MAX;
	assert_false(uc_alerts_note(alerts, &end, T0));
	end = end_at(T0);
	end.outcome = UC_OUTCOME_MAX;
	assert_false(uc_alerts_note(alerts, &end, T0));
	assert_int_equal(step(T0), UC_ALERT_NONE);
	end = end_at(T0);
	end.verdict = UC_VERDICT_UPSTREAM_DIED;
	assert_true(uc_alerts_note(alerts, &end, T0));
	assert_int_equal(step(T0), UC_ALERT_FIRES);
	assert_int_equal(said.by_verdict[UC_VERDICT_UPSTREAM_DIED], 1);
	assert_int_equal(said.by_verdict[UC_VERDICT_KEEPALIVE_RACE], 0);
}

static void test_glob(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} globs[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
		{ "*", "10.0.0.5:3000", true },
		{ "**", "a", true },
		{ "?", "", false },
		{ "?", "a", true },
		{ "??", "a", false },
		{ "10.0.0.5:3000", "10.0.0.5:3000", true },
		{ "10.0.0.5:3000", "10.0.0.5:30001", false },
		{ "10.0.0.5:3000", "10.0.0.5:300", false },
		{ "*:3000", "10.0.0.5:3000", true },
		{ "*:3000", "10.0.0.5:30000", false },
		{ "*:300?", "10.0.0.5:3009", true },
		{ "10.0.*", "10.0.0.5:3000", true },
		{ "10.0.*", "10.1.0.5:3000", false },
		{ "*0.5*", "10.0.0.5:3000", true },
		{ "*0.6*", "10.0.0.5:3000", false },
		{ "[fd77::?]:*", "[fd77::2]:80", true },
		{ "[*]:443", "[::1]:443", true },
		{ "*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
		{ "a*b*c", "abbbbc", true },
		{ "a*b*c", "abbbbcd", false },
		{ "*.5:3000*", "10.0.0.5:3000", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(globs); i++)
		if (uc_alert_glob(globs[i].pattern, globs[i].text) != globs[i].matches)
			fail_msg("%s and %s", globs[i].pattern, globs[i].text);
}

static const char *upstream_number(unsigned n)
{
	static char name[32];

	snprintf(name, sizeof(name), "10.0.0.1:%u", n);
	return name;
}

static void test_cap(void **state)
{
	struct uc_alert_rule r = usual;
	unsigned fired = 0;

	(void)state;
	r.count = 2;
	begin(&r);
	for (unsigned i = 0; i < UC_ALERT_UPSTREAMS; i++)
		race(upstream_number(i), T0);
	assert_int_equal(uc_alerts_folded(alerts), 0);
	/* those beyond are one */
	race(upstream_number(5000), T0);
	race(upstream_number(5001), T0);
	assert_int_equal(uc_alerts_folded(alerts), 2);
	assert_int_equal(step(T0), UC_ALERT_FIRES);
	assert_string_equal(said.upstream, UC_ALERT_OTHER);
	/* those within are not disturbed */
	for (unsigned i = 0; i < UC_ALERT_UPSTREAMS; i++)
		race(upstream_number(i), T0 + S);
	while (uc_alerts_step(alerts, T0 + S, WALL + T0 + S, &said)) {
		assert_int_equal(said.change, UC_ALERT_FIRES);
		assert_string_equal(said.upstream, upstream_number(fired++));
	}
	assert_int_equal(fired, UC_ALERT_UPSTREAMS);
	assert_int_equal(uc_alerts_folded(alerts), 2);
}

/* One that counts nothing any more makes room; one in its cooldown does not. */
static void test_room_again(void **state)
{
	struct uc_alert_rule r = usual;

	(void)state;
	r.count = 1;
	r.cooldown_ns = 1000 * S;
	begin(&r);
	race(upstream_number(0), T0 - 10 * S);
	assert_int_equal(step(T0 - 10 * S), UC_ALERT_FIRES);
	assert_int_equal(step(T0 + 60 * S), UC_ALERT_RESOLVES);
	r.count = 2;
	r.cooldown_ns = 0;
	begin(&r);
	for (unsigned i = 0; i < UC_ALERT_UPSTREAMS; i++)
		race(upstream_number(i), i == 77 ? T0 : T0 + 30 * S);
	assert_int_equal(step(T0 + 30 * S), UC_ALERT_NONE);
	race(upstream_number(5000), T0 + 61 * S);
	race(upstream_number(5000), T0 + 61 * S);
	assert_int_equal(uc_alerts_folded(alerts), 0);
	assert_int_equal(step(T0 + 61 * S), UC_ALERT_FIRES);
	assert_string_equal(said.upstream, upstream_number(5000));
	assert_int_equal(said.total, 2);
	race(upstream_number(77), T0 + 61 * S);
	assert_int_equal(uc_alerts_folded(alerts), 1);
}

static void test_names_are_cut(void **state)
{
	char longer[200], want[UC_ALERT_UPSTREAM_LEN];

	(void)state;
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	snprintf(want, sizeof(want), "%.63s", longer);
	begin(&usual);
	for (unsigned i = 0; i < 3; i++)
		race(longer, T0);
	assert_int_equal(step(T0), UC_ALERT_FIRES);
	assert_string_equal(said.upstream, want);
}

static void test_examples(void **state)
{
	struct uc_alert_rule rules[2] = { usual, usual };
	struct uc_alert_end likely = end_at(T0);

	(void)state;
	likely.confidence = UC_CONFIDENCE_LIKELY;
	strcpy(rules[1].name, "other");
	rules[0].count = rules[1].count = 1;
	uc_alerts_free(alerts);
	assert_int_equal(uc_alerts_new(rules, 2, &alerts), 0);
	assert_true(uc_alerts_note(alerts, &likely, T0));
	assert_int_equal(uc_alerts_example(alerts, "likely"), 0);
	/* each rule has its own */
	for (unsigned i = 0; i < 2; i++) {
		assert_true(uc_alerts_step(alerts, T0, WALL + T0, &said));
		assert_string_equal(said.rule->name, rules[i].name);
		assert_string_equal(said.example, "likely");
	}
	assert_false(uc_alerts_step(alerts, T0, WALL + T0, &said));
	/* a proven one is better, the next proven one is not, and a new one now and then is */
	assert_true(race(UP, T0));
	assert_int_equal(uc_alerts_example(alerts, "proven"), 0);
	assert_false(race(UP, T0 + S - 1));
	assert_true(race(UP, T0 + S));
	assert_int_equal(uc_alerts_example(alerts, "newer"), 0);
	likely.time_ns = T0 + 30 * S;
	assert_false(uc_alerts_note(alerts, &likely, T0 + 30 * S));
	/* a resolved alert has its example, the next one its own */
	assert_true(uc_alerts_step(alerts, T0 + 91 * S, WALL + T0 + 91 * S, &said));
	assert_int_equal(said.change, UC_ALERT_RESOLVES);
	assert_string_equal(said.example, "newer");
	assert_true(uc_alerts_step(alerts, T0 + 91 * S, WALL + T0 + 91 * S, &said));
	assert_false(uc_alerts_step(alerts, T0 + 91 * S, WALL + T0 + 91 * S, &said));
	assert_true(race(UP, T0 + 100 * S));
	assert_true(uc_alerts_step(alerts, T0 + 100 * S, WALL + T0 + 100 * S, &said));
	assert_null(said.example);
	assert_int_equal(said.total, 1);
}

static void test_active(void **state)
{
	struct uc_alert_rule rules[2] = { usual, usual };
	struct uc_alert a;
	size_t at = 0;

	(void)state;
	rules[0].count = 1;
	strcpy(rules[1].name, "pends");
	rules[1].count = 2;
	rules[1].hold_ns = 10 * S;
	uc_alerts_free(alerts);
	assert_int_equal(uc_alerts_new(rules, 2, &alerts), 0);
	assert_false(uc_alerts_active(alerts, &at, &a));
	race("a:1", T0);
	race("b:1", T0);
	race("b:1", T0);
	while (uc_alerts_step(alerts, T0, WALL + T0, &said))
		;
	assert_true(uc_alerts_active(alerts, &at, &a));
	assert_string_equal(a.upstream, "a:1");
	assert_int_equal(a.state, UC_ALERT_FIRING);
	assert_true(uc_alerts_active(alerts, &at, &a));
	assert_string_equal(a.upstream, "b:1");
	assert_int_equal(a.matched, 2);
	assert_true(uc_alerts_active(alerts, &at, &a));
	assert_string_equal(a.rule->name, "pends");
	assert_int_equal(a.state, UC_ALERT_PENDING);
	assert_false(uc_alerts_active(alerts, &at, &a));
}

/* A rule that did not change goes on; what fires by another one is resolved. */
static void test_replace(void **state)
{
	struct uc_alert_rule rules[3] = { usual, usual, usual }, next[3];

	(void)state;
	strcpy(rules[1].name, "changes");
	strcpy(rules[2].name, "goes");
	uc_alerts_free(alerts);
	assert_int_equal(uc_alerts_new(rules, 3, &alerts), 0);
	races(2, T0);
	next[0] = rules[0];
	assert_int_equal(uc_alerts_replace(alerts, next, 1), 0);
	assert_int_equal(step(T0), UC_ALERT_NONE);
	/* the count went on, and in another order too */
	assert_int_equal(uc_alerts_replace(alerts, rules, 3), 0);
	races(1, T0);
	assert_int_equal(step(T0), UC_ALERT_FIRES);
	assert_string_equal(said.rule->name, "race");
	races(2, T0);
	assert_true(uc_alerts_step(alerts, T0, WALL + T0, &said));
	assert_true(uc_alerts_step(alerts, T0, WALL + T0, &said));
	assert_false(uc_alerts_step(alerts, T0, WALL + T0, &said));
	next[0] = rules[1];
	next[0].severity = UC_ALERT_CRITICAL;
	next[1] = rules[0];
	assert_int_equal(uc_alerts_replace(alerts, next, 2), 0);
	assert_true(uc_alerts_deadline(alerts) <= T0);
	assert_true(uc_alerts_step(alerts, T0 + S, WALL + T0 + S, &said));
	assert_string_equal(said.rule->name, "changes");
	assert_int_equal(said.rule->severity, UC_ALERT_WARNING);
	assert_int_equal(said.change, UC_ALERT_RESOLVES);
	assert_true(said.withdrawn);
	assert_true(uc_alerts_step(alerts, T0 + S, WALL + T0 + S, &said));
	assert_string_equal(said.rule->name, "goes");
	assert_true(said.withdrawn);
	assert_false(uc_alerts_step(alerts, T0 + S, WALL + T0 + S, &said));
	/* what fires still does so */
	assert_int_equal(step(T0 + 61 * S), UC_ALERT_RESOLVES);
	assert_string_equal(said.rule->name, "race");
	assert_false(said.withdrawn);
}

/* Two in a row, with nobody looking in between. */
static void test_replace_twice(void **state)
{
	struct uc_alert_rule r = usual;

	(void)state;
	begin(&usual);
	races(3, T0);
	assert_int_equal(step(T0), UC_ALERT_FIRES);
	r.count = 1;
	assert_int_equal(uc_alerts_replace(alerts, &r, 1), 0);
	assert_int_equal(uc_alerts_replace(alerts, NULL, 0), 0);
	assert_int_equal(step(T0), UC_ALERT_RESOLVES);
	assert_true(said.withdrawn);
	races(3, T0);
	assert_int_equal(step(T0), UC_ALERT_NONE);
}

/* After a restart it fires on for a window, and is resolved unless it goes on happening. */
static void test_restore(void **state)
{
	struct uc_alert_rule r = usual;

	(void)state;
	strcpy(r.upstream, "10.*");
	begin(&r);
	assert_false(uc_alerts_restore(alerts, "unheard-of", UP, WALL, T0));
	assert_false(uc_alerts_restore(alerts, "race", "11.0.0.5:80", WALL, T0));
	assert_true(uc_alerts_restore(alerts, "race", UP, WALL, T0));
	assert_int_equal(uc_alerts_in_state(alerts, 0, UC_ALERT_FIRING), 1);
	assert_int_equal(step(T0), UC_ALERT_NONE);
	assert_int_equal(step(T0 + WINDOW - 1), UC_ALERT_NONE);
	assert_int_equal(uc_alerts_deadline(alerts), T0 + WINDOW);
	assert_int_equal(step(T0 + WINDOW), UC_ALERT_RESOLVES);
	assert_int_equal(said.fired_wall_ns, WALL);
	assert_int_equal(said.total, 0);
	assert_null(said.example);
	assert_true(uc_alerts_deadline(alerts) == UINT64_MAX);

	begin(&r);
	assert_true(uc_alerts_restore(alerts, "race", UP, WALL, T0));
	races(3, T0 + 30 * S);
	assert_int_equal(step(T0 + 30 * S), UC_ALERT_NONE); /* it fired all the time */
	assert_int_equal(step(T0 + 90 * S), UC_ALERT_NONE);
	assert_int_equal(step(T0 + 91 * S), UC_ALERT_RESOLVES);
	assert_int_equal(said.fired_wall_ns, WALL);
	assert_int_equal(said.total, 3);
	/* the next time it begins anew */
	races(3, T0 + 100 * S);
	assert_int_equal(step(T0 + 100 * S), UC_ALERT_FIRES);
	assert_int_equal(said.fired_wall_ns, WALL + T0 + 100 * S);
}

static void test_refused_rules(void **state)
{
	struct uc_alert_rule bad[3] = { usual, usual, usual };

	(void)state;
	begin(&usual);
	races(2, T0);
	bad[0].name[0] = '\0';
	bad[1].verdicts = 0;
	bad[2].window_ns = UC_ALERT_WINDOW_MIN_NS - 1;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct uc_alerts *none = NULL;

		assert_int_equal(uc_alerts_new(&bad[i], 1, &none), -EINVAL);
		assert_null(none);
		assert_int_equal(uc_alerts_replace(alerts, &bad[i], 1), -EINVAL);
	}
	races(1, T0);
	assert_int_equal(step(T0), UC_ALERT_FIRES);
}

static void test_defaults(void **state)
{
	struct uc_alerts *a = NULL;
	uint32_t verdicts = 0, counted = 0;

	(void)state;
	assert_int_equal(uc_alerts_new(uc_alert_defaults, uc_alert_default_count, &a), 0);
	uc_alerts_free(a);
	for (size_t i = 0; i < uc_alert_default_count; i++) {
		verdicts |= uc_alert_defaults[i].verdicts;
		counted |= uc_alert_defaults[i].share_ppm ? 0 : uc_alert_defaults[i].verdicts;
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(uc_alert_defaults[i].name,
						uc_alert_defaults[k].name);
	}
	/* whatever is flagged can wake somebody, and nothing else does */
	for (unsigned v = 0; v < UC_VERDICT_MAX; v++)
		assert_int_equal(!!(verdicts & UC_ALERT_VERDICT(v)), uc_verdict_flagged(v));
	/* and by its number, too, where its cause is known */
	assert_int_equal(counted | UC_ALERT_VERDICT(UC_VERDICT_UNKNOWN), verdicts);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(uc_alert_severity_name(UC_ALERT_INFO), "info");
	assert_string_equal(uc_alert_severity_name(UC_ALERT_WARNING), "warning");
	assert_string_equal(uc_alert_severity_name(UC_ALERT_CRITICAL), "critical");
	assert_string_equal(uc_alert_severity_name(UC_ALERT_SEVERITIES), "invalid");
	assert_string_equal(uc_alert_state_name(UC_ALERT_INACTIVE), "inactive");
	assert_string_equal(uc_alert_state_name(UC_ALERT_PENDING), "pending");
	assert_string_equal(uc_alert_state_name(UC_ALERT_FIRING), "firing");
	assert_string_equal(uc_alert_state_name(UC_ALERT_STATE_MAX), "invalid");
}

/* --- held against a plain count of all events ------------------------------------------------ */

#define EVENTS 4000

struct plain {
	uint64_t race[EVENTS], good[EVENTS];
	size_t races, goods;
};

static uint64_t within(const uint64_t *at, size_t count, uint64_t now)
{
	uint64_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += now / S - at[i] / S <= UC_ALERT_SLICES;
	return n;
}

static bool plainly_holds(const struct plain *p, const struct uc_alert_rule *r, uint64_t now)
{
	uint64_t matched = within(p->race, p->races, now);
	uint64_t all = within(p->good, p->goods, now);

	all = all > matched ? all : matched;
	return matched >= r->count && matched * 1000000 >= all * r->share_ppm;
}

static void test_random_events(void **state)
{
	static struct plain p;
	struct uc_alert_rule r = usual;
	uint64_t random = 42, now, changes = 0;

	(void)state;
	r.share_ppm = 200000;
	for (unsigned run = 0; run < 20; run++) {
		bool firing = false;

		begin(&r);
		now = T0;
		p.races = p.goods = 0;
		while (p.races < EVENTS / 8 && p.goods < EVENTS / 2) {
			enum uc_alert_change c;

			now += next_random(&random) % (run < 10 ? 20 * S : 2 * S);
			if (next_random(&random) % 3) {
				uc_alerts_exchanges(alerts, UP, 1, now);
				p.good[p.goods++] = now;
			} else {
				race(UP, now);
				p.race[p.races++] = now;
			}
			/* good ones are looked at with the next slice */
			now = (now / S + 1) * S + next_random(&random) % S;
			c = step(now);
			if (c != UC_ALERT_NONE) {
				assert_int_equal(c, firing ? UC_ALERT_RESOLVES : UC_ALERT_FIRES);
				firing = !firing;
				changes++;
			}
			assert_int_equal(firing, plainly_holds(&p, &r, now));
		}
	}
	assert_true(changes > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_counts, tear_down),
		cmocka_unit_test_teardown(test_by_upstream, tear_down),
		cmocka_unit_test_teardown(test_window_edges, tear_down),
		cmocka_unit_test_teardown(test_window_slides, tear_down),
		cmocka_unit_test_teardown(test_late_events, tear_down),
		cmocka_unit_test_teardown(test_clock_goes_back, tear_down),
		cmocka_unit_test_teardown(test_clock_jumps, tear_down),
		cmocka_unit_test_teardown(test_wall_clock_steps, tear_down),
		cmocka_unit_test_teardown(test_hold, tear_down),
		cmocka_unit_test_teardown(test_cooldown, tear_down),
		cmocka_unit_test_teardown(test_repeat, tear_down),
		cmocka_unit_test_teardown(test_share, tear_down),
		cmocka_unit_test_teardown(test_huge_numbers, tear_down),
		cmocka_unit_test_teardown(test_what_counts, tear_down),
		cmocka_unit_test(test_glob),
		cmocka_unit_test_teardown(test_cap, tear_down),
		cmocka_unit_test_teardown(test_room_again, tear_down),
		cmocka_unit_test_teardown(test_names_are_cut, tear_down),
		cmocka_unit_test_teardown(test_examples, tear_down),
		cmocka_unit_test_teardown(test_active, tear_down),
		cmocka_unit_test_teardown(test_replace, tear_down),
		cmocka_unit_test_teardown(test_replace_twice, tear_down),
		cmocka_unit_test_teardown(test_restore, tear_down),
		cmocka_unit_test_teardown(test_refused_rules, tear_down),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_names),
		cmocka_unit_test_teardown(test_random_events, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
