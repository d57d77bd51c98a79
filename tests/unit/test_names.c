/* SPDX-License-Identifier: BSD-2-Clause */
/* Names out of files as kubelet, podman and Docker write them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build.h"
#include "engine/whose.h"
#include "source/names.h"

#define ID  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UID "12345678-9abc-def0-1234-56789abcdef0"

static char root[64];

static void put(const char *path, const char *text)
{
	char whole[512];
	FILE *f;

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	for (char *c = whole + strlen(root) + 1; *c; c++) {
		if (*c != '/')
			continue;
		*c = '\0';
		assert_true(!mkdir(whole, 0755) || errno == EEXIST);
		*c = '/';
	}
	f = fopen(whole, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int setup(void **state)
{
	(void)state;
	snprintf(root, sizeof(root), "/tmp/upclose-test-names-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static struct uc_proc proc(const char *cgroup)
{
	struct uc_proc p = { 0 };
	struct uc_container c;

	snprintf(p.cgroup, sizeof(p.cgroup), "%s", cgroup);
	uc_container_parse(cgroup, &c);
	uc_names_resolve(root, &c, &p.names);
	return p;
}

static void expect_name(const struct uc_proc *p, const char *name)
{
	struct uc_whose w = uc_whose(p);
	char buf[UC_WHOSE_LEN];

	uc_whose_name(&w, buf);
	assert_string_equal(buf, name);
}

static void test_pod_by_its_logs(void **state)
{
	struct uc_proc p;

	(void)state;
	put("/var/log/containers/api-1_shop_web-" ID ".log", "");
	put("/var/log/containers/other-1_shop_web-f" ID ".log", "");
	p = proc("/kubepods/pod" UID "/" ID);
	assert_string_equal(p.names.container, "web");
	expect_name(&p, "shop/api-1");
}

static void test_pod_by_its_folder(void **state)
{
	struct uc_proc p;

	(void)state;
	put("/var/log/pods/shop_api-1_" UID "/web/0.log", "");
	p = proc("/kubepods/pod" UID "/" ID);
	assert_string_equal(p.names.container, "");
	expect_name(&p, "shop/api-1");
}

static void test_podman(void **state)
{
	struct uc_proc p;

	(void)state;
	put("/var/lib/containers/storage/overlay-containers/containers.json",
	    "[{\"id\": \"f\", \"names\": [\"no\"]}, {\"id\": \"" ID "\", \"names\": [\"web\"]}]");
	p = proc("/machine.slice/libpod-" ID ".scope");
	expect_name(&p, "web");
}

static void test_docker(void **state)
{
	struct uc_proc p;

	(void)state;
	put("/var/lib/docker/containers/" ID "/config.v2.json", "{\"Name\": \"/web\"}");
	p = proc("/docker/" ID);
	expect_name(&p, "web");
}

/* Other people's files: whatever they hold, nothing worse than no name comes of it. */
static void test_odd_files(void **state)
{
	struct uc_proc p;

	(void)state;
	put("/var/log/containers/_-" ID ".log", "");
	put("/var/log/containers/a_b-" ID ".log", "");
	put("/var/log/pods/_" UID "/x", "");
	put("/var/lib/containers/storage/overlay-containers/containers.json", "{\"id\": 7}");
	put("/var/lib/docker/containers/" ID "/config.v2.json", "{\"Name\": [");
	p = proc("/kubepods/pod" UID "/docker-" ID);
	expect_name(&p, "docker 0123456789ab");
}

static void test_nothing_known(void **state)
{
	struct uc_proc p = proc("/kubepods/pod" UID), q = proc("/kubepods/pod" UID "/" ID),
		       r = proc("/system.slice/x.service");

	(void)state;
	expect_name(&p, "pod " UID);
	expect_name(&q, "container 0123456789ab");
	expect_name(&r, "");
	expect_name(NULL, "");
}

static void test_asked_for(void **state)
{
	struct uc_proc p, none = proc("/system.slice/x.service");
	struct uc_whose w, nobody = uc_whose(NULL), unit = uc_whose(&none);

	(void)state;
	put("/var/log/containers/api-1_shop_web-" ID ".log", "");
	p = proc("/kubepods/pod" UID "/" ID);
	w = uc_whose(&p);
	assert_true(uc_whose_container_is(&w, "web"));
	assert_true(uc_whose_container_is(&w, ID));
	assert_true(uc_whose_container_is(&w, "0123456789ab"));
	assert_false(uc_whose_container_is(&w, "0123456789a"));
	assert_false(uc_whose_container_is(&w, "we"));
	assert_true(uc_whose_pod_is(&w, "api-1"));
	assert_true(uc_whose_pod_is(&w, "shop/api-1"));
	assert_true(uc_whose_pod_is(&w, UID));
	assert_false(uc_whose_pod_is(&w, "sho/api-1"));
	assert_false(uc_whose_pod_is(&w, "shop/api"));
	assert_false(uc_whose_container_is(&nobody, "") || uc_whose_pod_is(&nobody, ""));
	assert_false(uc_whose_container_is(&unit, "x.service") || uc_whose_pod_is(&unit, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pod_by_its_logs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pod_by_its_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(test_podman, setup, teardown),
		cmocka_unit_test_setup_teardown(test_docker, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_known, setup, teardown),
		cmocka_unit_test_setup_teardown(test_asked_for, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
