/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of hooks and its plans, on hosts that have or refuse what the test says. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "source/bpf_objects.h"
#include "source/hooks.h"

/* A host: what becomes of each hook. */
struct host {
	const char *sections; /* those hooks whose section begins so; NULL: none */
	int err;              /* of those; all others work */
	bool optional_too;    /* nothing works that is not required, either */
};

static int ask(void *ctx, struct uc_hook *h)
{
	const struct host *host = ctx;

	if (host->optional_too && !h->required)
		return -ENOENT;
	return host->sections && !strncmp(h->section, host->sections, strlen(host->sections)) ?
		       host->err :
		       0;
}

static struct uc_hooks judge(struct host host, enum uc_plan wanted)
{
	struct uc_hooks h;

	uc_hooks_judge(ask, &host, wanted, &h);
	return h;
}

static struct uc_hooks without(const char *sections, enum uc_plan wanted)
{
	return judge((struct host){ .sections = sections, .err = -EPERM }, wanted);
}

static const struct uc_hook *row(const struct uc_hooks *h, const char *section)
{
	for (size_t i = 0; i < h->count; i++)
		if (!strcmp(h->hooks[i].section, section))
			return &h->hooks[i];
	fail_msg("no hook %s", section);
	return NULL;
}

/* A used hook tells the facts of this one's group: itself or an alternative. */
static bool group_served(const struct uc_hooks *h, const struct uc_hook *of)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->hooks[i].use == UC_HOOK_USED &&
		    (h->hooks[i].group == of->group || h->hooks[i].covers == of->group))
			return true;
	return false;
}

static void test_preferred_first(void **state)
{
	static const enum uc_plan order[] = { UC_PLAN_TRACEPOINT, UC_PLAN_FENTRY,
					      UC_PLAN_FENTRY_OLD, UC_PLAN_KPROBE };
	struct uc_hooks h = judge((struct host){ 0 }, UC_PLAN_AUTO);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		assert_int_equal(h.plan, order[i]);
		assert_null(h.lacks[order[i]]);
		assert_int_equal(uc_hooks_next(&h, UC_PLAN_AUTO), i + 1 < ARRAY_SIZE(order));
	}
}

/* Each group of a plan is served once, and no hook of another plan is used. */
static void test_one_hook_a_group(void **state)
{
	struct uc_hooks h = judge((struct host){ 0 }, UC_PLAN_AUTO);

	(void)state;
	do {
		for (size_t i = 0; i < h.count; i++) {
			const struct uc_hook *a = &h.hooks[i];

			if (a->plans & 1U << h.plan)
				assert_true(group_served(&h, a));
			if (a->use != UC_HOOK_USED)
				continue;
			assert_true(a->plans & 1U << h.plan);
			for (size_t k = 0; k < i; k++)
				assert_false(h.hooks[k].use == UC_HOOK_USED &&
					     (h.hooks[k].group == a->group ||
					      h.hooks[k].covers == a->group));
		}
	} while (uc_hooks_next(&h, UC_PLAN_AUTO));
}

/* Without any one required hook its plans are not possible, it is named, and the next one is chosen. */
static void test_falls_back(void **state)
{
	size_t count, required = 0;
	const struct uc_hook *table = uc_hooks_table(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		const struct uc_hook *lost = &table[i];
		struct uc_hooks h;
		enum uc_plan best = UC_PLAN_AUTO + 1;

		if (!lost->required)
			continue;
		required++;
		h = without(lost->section, UC_PLAN_AUTO);
		for (enum uc_plan plan = UC_PLAN_AUTO + 1; plan < UC_PLAN_MAX; plan++)
			assert_ptr_equal(h.lacks[plan], lost->plans & 1U << plan ? lost : NULL);
		while (lost->plans & 1U << best)
			best++;
		assert_int_equal(h.plan, best);
		assert_int_equal(lost->use, UC_HOOK_REFUSED);
	}
	assert_true(required > 0);
}

static void test_known_hosts(void **state)
{
	static const struct {
		const char *without;
		enum uc_plan wanted, plan;
	} hosts[] = {
		{ "tp_btf/sock_send_length", UC_PLAN_AUTO, UC_PLAN_FENTRY }, /* before 6.3 */
		{ "helper/", UC_PLAN_AUTO, UC_PLAN_FENTRY_OLD },             /* before 5.15 */
		{ "tp_btf/", UC_PLAN_AUTO, UC_PLAN_FENTRY_OLD },
		{ "helper/", UC_PLAN_FENTRY, UC_PLAN_FENTRY_OLD },               /* the same name */
		{ "tp_btf/sock_recv_length", UC_PLAN_TRACEPOINT, UC_PLAN_AUTO }, /* no other */
		{ "fexit/", UC_PLAN_AUTO, UC_PLAN_TRACEPOINT },
		{ "fexit/", UC_PLAN_FENTRY, UC_PLAN_AUTO },
		{ "raw_tp/", UC_PLAN_KPROBE, UC_PLAN_AUTO },
		{ "kprobe/tcp_cleanup_rbuf", UC_PLAN_KPROBE, UC_PLAN_AUTO },
		{ NULL, UC_PLAN_KPROBE, UC_PLAN_KPROBE },
		{ "", UC_PLAN_AUTO, UC_PLAN_AUTO }, /* nothing works */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		assert_int_equal(without(hosts[i].without, hosts[i].wanted).plan, hosts[i].plan);
}

static void test_next_is_of_the_wanted_name(void **state)
{
	struct uc_hooks h = judge((struct host){ 0 }, UC_PLAN_FENTRY);

	(void)state;
	assert_int_equal(h.plan, UC_PLAN_FENTRY);
	assert_true(uc_hooks_next(&h, UC_PLAN_FENTRY));
	assert_int_equal(h.plan, UC_PLAN_FENTRY_OLD);
	assert_false(uc_hooks_next(&h, UC_PLAN_FENTRY));
}

/* What is not required costs its facts and no plan. */
static void test_does_without_the_optional(void **state)
{
	struct uc_hooks h = judge((struct host){ .optional_too = true }, UC_PLAN_AUTO);

	(void)state;
	for (enum uc_plan plan = UC_PLAN_AUTO + 1; plan < UC_PLAN_MAX; plan++)
		assert_null(h.lacks[plan]);
	assert_int_equal(h.plan, UC_PLAN_TRACEPOINT);
	for (size_t i = 0; i < h.count; i++)
		assert_int_equal(h.hooks[i].use, !h.hooks[i].required            ? UC_HOOK_MISSING :
						 h.hooks[i].plans & 1U << h.plan ? UC_HOOK_USED :
										   UC_HOOK_SPARE);
}

static void test_lacks_are_named(void **state)
{
	struct uc_hooks h = judge((struct host){ .sections = "", .err = -ENOENT }, UC_PLAN_AUTO);
	char text[256];

	(void)state;
	for (enum uc_plan plan = UC_PLAN_AUTO + 1; plan < UC_PLAN_MAX; plan++) {
		const struct uc_hook *lack = h.lacks[plan];

		assert_non_null(lack);
		assert_true(lack->required && lack->plans & 1U << plan);
		assert_int_equal(lack->use, UC_HOOK_MISSING);
		uc_hook_lack(lack, text, sizeof(text));
		assert_ptr_equal(strstr(text, lack->section), text);
		assert_non_null(strstr(text, "not in this kernel"));
		assert_non_null(strstr(text, lack->note));
	}
	h = without("fexit/tcp_recvmsg", UC_PLAN_FENTRY);
	assert_string_equal(uc_hook_lack(h.lacks[UC_PLAN_FENTRY], text, sizeof(text)),
			    "fexit/tcp_recvmsg is refused by this host (EPERM)");
}

static void test_programs(void **state)
{
	struct uc_hooks h = judge((struct host){ 0 }, UC_PLAN_TRACEPOINT);

	(void)state;
	assert_true(uc_hooks_uses(&h, "uc_send"));
	assert_true(uc_hooks_uses(&h, "uc_set_state_2"));
	assert_false(uc_hooks_uses(&h, "uc_send_fexit"));
	assert_false(uc_hooks_uses(&h, "uc_sendpage"));
	assert_false(uc_hooks_uses(&h, "uc_send_enter"));
	assert_int_equal(row(&h, "kfunc/bpf_preempt_disable")->use, UC_HOOK_USED);

	h = judge((struct host){ 0 }, UC_PLAN_FENTRY);
	assert_true(uc_hooks_uses(&h, "uc_send_fexit"));
	assert_true(uc_hooks_uses(&h, "uc_sendpage"));
	assert_int_equal(row(&h, "kfunc/bpf_preempt_disable")->use, UC_HOOK_SPARE);

	h = judge((struct host){ 0 }, UC_PLAN_KPROBE);
	assert_true(uc_hooks_uses(&h, "uc_send_return"));
	assert_true(uc_hooks_uses(&h, "uc_send_enter"));
	assert_false(uc_hooks_uses(&h, "uc_send"));
}

/* The iterator finds sockets that are open already; kprobes have a way of their own without it. */
static void test_other_adoption(void **state)
{
	struct uc_hooks h = judge((struct host){ 0 }, UC_PLAN_KPROBE);

	(void)state;
	assert_true(uc_hooks_uses(&h, "uc_adopt"));
	assert_false(uc_hooks_uses(&h, "uc_adopt_fdinfo"));
	h = without("iter/task_file", UC_PLAN_KPROBE);
	assert_false(uc_hooks_uses(&h, "uc_adopt"));
	assert_true(uc_hooks_uses(&h, "uc_adopt_fdinfo"));
}

/* --- the table and the BPF objects ---------------------------------------------------- */

static struct bpf_object *open_object(const struct uc_bpf_elf *elf)
{
	struct bpf_object *o = bpf_object__open_mem(elf->bytes, elf->size, NULL);

	assert_non_null(o);
	return o;
}

static void assert_program(const struct bpf_object *o, const char *name, const char *section)
{
	const struct bpf_program *p = bpf_object__find_program_by_name(o, name);

	if (!p)
		fail_msg("no program %s for %s", name, section);
	if (!section)
		return;
	/* what a uprobe is attached to is found out later */
	if (!strncmp(section, "uprobe", 6))
		assert_memory_equal(section, bpf_program__section_name(p),
				    strlen(bpf_program__section_name(p)));
	else
		assert_string_equal(bpf_program__section_name(p), section);
}

/* Every hook has its programs in every object whose plans use it. */
static void test_every_hook_has_its_program(void **state)
{
	size_t count;
	const struct uc_hook *table = uc_hooks_table(&count);
	unsigned plans = 0;

	(void)state;
	for (unsigned n = 0; n < UC_BPF_ELFS; n++) {
		struct uc_bpf_elf elf = uc_bpf_elf(n);
		struct bpf_object *o = open_object(&elf);

		assert_false(plans & elf.plans);
		plans |= elf.plans;
		for (size_t i = 0; i < count; i++) {
			if (!table[i].program || !(table[i].plans & elf.plans))
				continue;
			assert_program(o, table[i].program, table[i].section);
			if (table[i].companion)
				assert_program(o, table[i].companion, NULL);
		}
		bpf_object__close(o);
	}
	for (enum uc_plan plan = UC_PLAN_AUTO + 1; plan < UC_PLAN_MAX; plan++)
		plans &= ~(1U << plan);
	assert_int_equal(plans, 0);
}

static bool has_row(const struct bpf_program *p, unsigned plans)
{
	size_t count;
	const struct uc_hook *table = uc_hooks_table(&count);
	const char *name = bpf_program__name(p);

	for (size_t i = 0; i < count; i++)
		if (table[i].program && table[i].plans & plans &&
		    (!strcmp(table[i].program, name) ||
		     (table[i].companion && !strcmp(table[i].companion, name))))
			return true;
	return false;
}

static void test_every_program_has_its_hook(void **state)
{
	(void)state;
	for (unsigned n = 0; n < UC_BPF_ELFS; n++) {
		struct uc_bpf_elf elf = uc_bpf_elf(n);
		struct bpf_object *o = open_object(&elf);
		struct bpf_program *p;

		bpf_object__for_each_program(p, o)
			if (!has_row(p, elf.plans))
				fail_msg("no hook for the program %s", bpf_program__name(p));
		bpf_object__close(o);
	}
}

/* Of kinds whose arguments are the kernel's, the row says which its program relies on. */
static bool has_kernel_args(const struct uc_hook *h)
{
	static const char *const kinds[] = { "tp_btf/", "raw_tp/", "fexit/", "kprobe/",
					     "kretprobe/" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strncmp(h->section, kinds[i], strlen(kinds[i])))
			return true;
	return false;
}

static void test_rows_are_complete(void **state)
{
	size_t count;
	const struct uc_hook *table = uc_hooks_table(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		const struct uc_hook *h = &table[i];

		assert_non_null(strchr(h->section, '/'));
		assert_true(h->plans && *h->facts && *h->note && h->group);
		assert_int_equal(h->takes[0] != NULL, has_kernel_args(h));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_preferred_first),
		cmocka_unit_test(test_one_hook_a_group),
		cmocka_unit_test(test_falls_back),
		cmocka_unit_test(test_known_hosts),
		cmocka_unit_test(test_next_is_of_the_wanted_name),
		cmocka_unit_test(test_does_without_the_optional),
		cmocka_unit_test(test_lacks_are_named),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_other_adoption),
		cmocka_unit_test(test_every_hook_has_its_program),
		cmocka_unit_test(test_every_program_has_its_hook),
		cmocka_unit_test(test_rows_are_complete),
	};

	return cmocka_run_group_tests_name("hooks", tests, NULL, NULL);
}
