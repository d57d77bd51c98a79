/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/container.h"

#include <stddef.h>
#include <string.h>

#define ID_DIGITS 64

/* A piece of the path. */
struct part {
	const char *p;
	size_t len;
};

/* Before the id, as "docker-" in docker-ID.scope. The process that minds a container is not in it. */
static const struct {
	const char *before, *runtime;
} runtimes[] = {
	{ "docker-", "docker" },
	{ "cri-containerd-", "containerd" },
	{ "cri-containerd:", "containerd" },
	{ "nerdctl-", "containerd" },
	{ "crio-", "cri-o" },
	{ "libpod-", "podman" },
};

static bool is_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool all_digits(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_digit(p[i]))
			return false;
	return true;
}

static bool starts(struct part s, const char *word)
{
	return s.len >= strlen(word) && !memcmp(s.p, word, strlen(word));
}

static bool ends(struct part s, const char *word)
{
	return s.len >= strlen(word) && !memcmp(s.p + s.len - strlen(word), word, strlen(word));
}

static bool is(struct part s, const char *word)
{
	return s.len == strlen(word) && !memcmp(s.p, word, s.len);
}

static struct part without(struct part s, const char *end)
{
	if (ends(s, end))
		s.len -= strlen(end);
	return s;
}

static void copy(char *to, size_t size, struct part s)
{
	size_t len = s.len < size - 1 ? s.len : size - 1;

	memcpy(to, s.p, len);
	to[len] = '\0';
}

/* "docker-ID", "ID", or behind the slice of a pod "kubepods-...:cri-containerd:ID"; what is before the id, or NULL. */
static bool find_id(struct part s, struct part *ret_before, struct part *ret_id)
{
	struct part before = s;

	if (s.len < ID_DIGITS || !all_digits(s.p + s.len - ID_DIGITS, ID_DIGITS))
		return false;
	before.len -= ID_DIGITS;
	*ret_id = (struct part){ s.p + before.len, ID_DIGITS };
	if (before.len && before.p[before.len - 1] == ':') {
		const char *p = before.p + before.len - 1;

		while (p > before.p && p[-1] != ':')
			p--;
		before = (struct part){ p, before.p + before.len - p };
	}
	*ret_before = before;
	return true;
}

static bool take_container(struct part s, struct part parent, struct uc_container *ret)
{
	struct part before, id;
	const char *runtime = NULL;

	if (!find_id(without(s, ".scope"), &before, &id))
		return false;
	for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]); i++)
		if (is(before, runtimes[i].before))
			runtime = runtimes[i].runtime;
	if (before.len && !runtime)
		return false;
	if (!before.len && is(parent, "docker"))
		runtime = "docker";
	ret->runtime = runtime;
	copy(ret->id, sizeof(ret->id), id);
	return true;
}

/* 8-4-4-4-12 digits; systemd's slices have '_' for '-'. */
static bool is_uid(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? p[i] != '-' && p[i] != '_' : !is_digit(p[i]))
			return false;
	}
	return len == UC_POD_UID - 1;
}

/* "podUID" or "kubepods-burstable-podUID.slice". */
static bool take_pod(struct part s, struct uc_container *ret)
{
	const char *colon = memchr(s.p, ':', s.len);
	struct part uid;

	if (colon)
		s.len = colon - s.p;
	s = without(s, ".slice");
	for (size_t len = UC_POD_UID - 1; len >= 32; len -= 4) {
		if (s.len < len + 3 || memcmp(s.p + s.len - len - 3, "pod", 3))
			continue;
		uid = (struct part){ s.p + s.len - len, len };
		if (len == 32 ? !all_digits(uid.p, len) : !is_uid(uid.p, len))
			continue;
		copy(ret->pod_uid, sizeof(ret->pod_uid), uid);
		for (char *c = ret->pod_uid; *c; c++)
			*c = *c == '_' ? '-' : *c;
		return true;
	}
	return false;
}

static void take(struct part s, struct part parent, struct uc_container *ret)
{
	bool pod = take_pod(s, ret);

	if (take_container(s, parent, ret))
		ret->unit[0] = '\0';
	else if (!pod && !ret->id[0] && s.len < UC_UNIT_LEN &&
		 (ends(s, ".service") || ends(s, ".scope")) && !starts(s, "."))
		copy(ret->unit, sizeof(ret->unit), s);
}

bool uc_container_parse(const char *cgroup, struct uc_container *ret)
{
	struct part parent = { "", 0 };

	*ret = (struct uc_container){ 0 };
	for (const char *p = cgroup; *p;) {
		struct part s = { p, strcspn(p, "/") };

		take(s, parent, ret);
		parent = s;
		p += s.len;
		p += *p == '/';
	}
	return ret->id[0] || ret->pod_uid[0] || ret->unit[0];
}
