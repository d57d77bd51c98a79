/* SPDX-License-Identifier: BSD-2-Clause */
/* Names as the controllers of Kubernetes make them, and names that only look so. */
#include "build.h"
#include "base/util.h"
#include "core/workload.h"

static const struct {
	const char *pod, *workload;
} names[] = {
	/* Deployment: the hash of its template, then five letters */
	{ "api-7d9f8b6c5-x2x4z", "api" },
	{ "ingress-nginx-controller-5b8bd44b69-kq7hn", "ingress-nginx-controller" },
	{ "coredns-668d6bf9bc-2wvqp", "coredns" },
	/* ReplicaSet by itself, DaemonSet, Job */
	{ "kube-proxy-7z2gk", "kube-proxy" },
	{ "migrate-b4k9d", "migrate" },
	/* what is before them is no hash: letters that hashes do not have, or too short */
	{ "shop-v2-kq7hn", "shop-v2" },
	{ "shop-gateway-kq7hn", "shop-gateway" },
	{ "shop-9bd-kq7hn", "shop-9bd" },
	/* CronJob: the minute, then five letters */
	{ "backup-29384756-x2x4z", "backup" },
	{ "shop-20251101-kq7hn", "shop" },
	/* StatefulSet */
	{ "db-0", "db" },
	{ "db-main-12", "db-main" },
	/* pods of nobody, static pods, and what is no ordinal */
	{ "etcd-node1", "etcd-node1" },
	{ "debug", "debug" },
	{ "shop-proxy", "shop-proxy" },
	{ "shop-2025110112", "shop-2025110112" },
	{ "x2x4z", "x2x4z" },
	{ "-x2x4z", "-x2x4z" },
	{ "0", "0" },
	{ "", "" },
};

static void test_names(void **state)
{
	char buf[254];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		uc_workload_of(names[i].pod, buf, sizeof(buf));
		assert_string_equal(buf, names[i].workload);
	}
}

static void test_cut(void **state)
{
	char buf[4];

	(void)state;
	uc_workload_of("gateway-7d9f8b6c5-x2x4z", buf, sizeof(buf));
	assert_string_equal(buf, "gat");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests_name("workload", tests, NULL, NULL);
}
