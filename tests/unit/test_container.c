/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths as the runtimes' documentation and their hosts have them. */
#include "build.h"
#include "core/container.h"

#define ID  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define UID "12345678-9abc-def0-1234-56789abcdef0"
#define LOW "12345678_9abc_def0_1234_56789abcdef0"

static const struct {
	const char *path, *runtime, *id, *pod, *unit;
} forms[] = {
	/* Docker: cgroupfs and systemd, alone and within a container of Docker's */
	{ "/docker/" ID, "docker", ID, "", "" },
	{ "/system.slice/docker-" ID ".scope", "docker", ID, "", "" },
	{ "/docker/" ID "/docker/" ID2, "docker", ID2, "", "" },
	{ "/system.slice/docker-" ID ".scope/init", "docker", ID, "", "" },
	/* podman: of root with and without systemd, of a user; the processes are in a folder below since 4.0 */
	{ "/libpod_parent/libpod-" ID, "podman", ID, "", "" },
	{ "/machine.slice/libpod-" ID ".scope/container", "podman", ID, "", "" },
	{ "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope", "podman",
	  ID, "", "" },
	/* its monitor is not in it */
	{ "/machine.slice/libpod-conmon-" ID ".scope", NULL, "", "", "libpod-conmon-" ID ".scope" },
	/* seen from within a cgroup namespace */
	{ "/../libpod-" ID, "podman", ID, "", "" },
	{ "/../../kubepods-pod" LOW ".slice/crio-" ID ".scope", "cri-o", ID, UID, "" },
	/* Kubernetes: cgroupfs and systemd, all classes, all runtimes */
	{ "/kubepods/besteffort/pod" UID "/" ID, NULL, ID, UID, "" },
	{ "/kubepods/pod" UID "/" ID, NULL, ID, UID, "" },
	{ "/kubepods/burstable/pod" UID "/crio-" ID, "cri-o", ID, UID, "" },
	{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" LOW
	  ".slice/cri-containerd-" ID ".scope",
	  "containerd", ID, UID, "" },
	{ "/kubepods.slice/kubepods-pod" LOW ".slice/docker-" ID ".scope", "docker", ID, UID, "" },
	{ "/kubepods.slice/kubepods-pod" LOW ".slice/crio-" ID ".scope/container", "cri-o", ID, UID,
	  "" },
	{ "/system.slice/containerd.service/kubepods-burstable-pod" LOW ".slice:cri-containerd:" ID,
	  "containerd", ID, UID, "" },
	{ "/kubepods-besteffort-pod" LOW ".slice:cri-containerd:" ID, "containerd", ID, UID, "" },
	/* a node that is a container itself */
	{ "/docker/" ID2 "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" LOW
	  ".slice/cri-containerd-" ID ".scope",
	  "containerd", ID, UID, "" },
	/* a static pod's uid is a sum of its manifest */
	{ "/kubepods/burstable/pod0123456789abcdef0123456789abcdef/" ID, NULL, ID,
	  "0123456789abcdef0123456789abcdef", "" },
	/* nobody's format, and yet an id: Amazon ECS */
	{ "/ecs/task/" ID, NULL, ID, "", "" },
	/* no container */
	{ "/system.slice/nginx.service", NULL, "", "", "nginx.service" },
	{ "/system.slice/system-gunicorn.slice/gunicorn@api.service", NULL, "", "",
	  "gunicorn@api.service" },
	{ "/user.slice/user-1000.slice/user@1000.service/app.slice/api.service", NULL, "", "",
	  "api.service" },
	{ "/user.slice/user-0.slice/session-3.scope", NULL, "", "", "session-3.scope" },
};

static const char *const nothing[] = {
	"",
	"/",
	"/user.slice",
	"/..",
	"//",
	"/docker",
	"/docker/"
	"0123456789abcdef",
	"/docker/" ID "0",
	"/docker/X123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	"/foo-" ID,
	"/kubepods/pod12345678-9abc-def0-1234-56789abcdef",
	"/kubepods/podX2345678-9abc-def0-1234-56789abcdef0",
	"pod",
	"pod:",
	":",
};

static void test_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct uc_container c;

		print_message("%s\n", forms[i].path);
		assert_true(uc_container_parse(forms[i].path, &c));
		if (forms[i].runtime)
			assert_string_equal(c.runtime, forms[i].runtime);
		else
			assert_null(c.runtime);
		assert_string_equal(c.id, forms[i].id);
		assert_string_equal(c.pod_uid, forms[i].pod);
		assert_string_equal(c.unit, forms[i].unit);
	}
}

static void test_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
		struct uc_container c;

		print_message("%s\n", nothing[i]);
		assert_false(uc_container_parse(nothing[i], &c));
		assert_true(!c.runtime && !c.id[0] && !c.pod_uid[0] && !c.unit[0]);
	}
}

static void test_long_unit(void **state)
{
	char path[400] = "/";
	struct uc_container c;

	(void)state;
	memset(path + 1, 'u', 300);
	strcpy(path + 301, ".service");
	assert_false(uc_container_parse(path, &c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_long_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
