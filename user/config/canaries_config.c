/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/canaries_config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "probe/target.h"

#define OPTIONAL CYAML_FLAG_OPTIONAL

#define SECOND 1000000000ULL
#define DAY    (86400 * SECOND)

static const cyaml_schema_field_t canary_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_DEFAULT, struct uc_canary_config, name, 1,
			       UC_CANARY_NAME_LEN),
	CYAML_FIELD_STRING_PTR("url", CYAML_FLAG_DEFAULT, struct uc_canary_config, url, 1, 2048),
	CYAML_FIELD_STRING_PTR("host", OPTIONAL, struct uc_canary_config, host, 1, 255),
	CYAML_FIELD_STRING_PTR("every", OPTIONAL, struct uc_canary_config, every_text, 1, 16),
	CYAML_FIELD_STRING_PTR("timeout", OPTIONAL, struct uc_canary_config, timeout_text, 1, 16),
	CYAML_FIELD_END,
};

const cyaml_schema_value_t uc_canary_schema = { CYAML_VALUE_MAPPING(
	CYAML_FLAG_DEFAULT, struct uc_canary_config, canary_fields) };

struct place {
	char text[64];
};

static struct place at(uint32_t index, const char *key)
{
	struct place p;

	snprintf(p.text, sizeof(p.text), "canaries[%u].%s", index, key);
	return p;
}

static void check_name(const struct uc_canary_config *all, uint32_t index, struct uc_yaml *y)
{
	const char *name = all[index].name;

	if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != strlen(name))
		uc_yaml_fault(y, at(index, "name").text,
			      "'%s' is not valid: small letters, digits, - and _", name);
	for (uint32_t i = 0; i < index; i++)
		if (!strcmp(all[i].name, name))
			uc_yaml_fault(y, at(index, "name").text,
				      "'%s' is the name of another canary", name);
}

/* A query may be secret: what is written there is not repeated. */
static int check_url(const char *url, uint32_t index, struct uc_yaml *y)
{
	struct uc_target target;
	const char *why = NULL;
	int err = uc_target_parse(url, &target, &why);

	if (!err)
		uc_target_free(&target);
	if (err == -EINVAL)
		uc_yaml_fault(y, at(index, "url").text, "this URL is not valid: %s", why);
	return err == -EINVAL ? 0 : err;
}

static void check_host(const char *host, uint32_t index, struct uc_yaml *y)
{
	for (const char *p = host; p && *p; p++) {
		if (*p > ' ' && *p < 0x7f)
			continue;
		uc_yaml_fault(y, at(index, "host").text,
			      "a host has no blanks, control bytes or bytes beyond ASCII");
		return;
	}
}

int uc_canaries_check(struct uc_canary_config *canaries, uint32_t count, struct uc_yaml *y)
{
	for (uint32_t i = 0; i < count; i++) {
		struct uc_canary_config *one = &canaries[i];

		check_name(canaries, i, y);
		check_host(one->host, i, y);
		one->every_ns = uc_yaml_duration(y, at(i, "every").text, one->every_text,
						 60 * SECOND, SECOND, DAY);
		one->timeout_ns = uc_yaml_duration(y, at(i, "timeout").text, one->timeout_text,
						   100 * SECOND, SECOND / 10, DAY);
		if (check_url(one->url, i, y))
			return -ENOMEM;
	}
	return 0;
}
