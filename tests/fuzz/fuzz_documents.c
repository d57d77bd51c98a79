/* SPDX-License-Identifier: BSD-2-Clause */
/* Whatever a document or an alert's example holds: every format of it is JSON that can be sent. */
#include <stdlib.h>
#include <string.h>

#include "alert/alert_text.h"
#include "alert/otlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int ok)
{
	if (!ok)
		abort();
}

static void sent(json_t *o)
{
	char *text = json_dumps(o, 0);
	json_t *again = text ? json_loads(text, 0, NULL) : NULL;

	check(again != NULL);
	json_decref(again);
	free(text);
	json_decref(o);
}

static void formats(json_t *doc)
{
	json_t *docs = json_pack("[O,O]", doc, doc), *alert = uc_alert_for_alertmanager(doc);

	check(json_is_object(json_object_get(alert, "labels")));
	sent(alert);
	sent(uc_otlp_logs(docs));
	json_decref(docs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct uc_alert_place place = { .instance = "web1", .wall_offset_ns = 1700000000000000000 };
	struct uc_alert alert = uc_alert_test(size % 2 ? UC_ALERT_FIRES : UC_ALERT_RESOLVES, 5, 7);
	json_t *o = json_loadb((const char *)data, size, 0, NULL), *doc;
	char *text = strndup((const char *)data, size);

	alert.example = text;
	doc = uc_alert_document(&alert, &place);
	check(json_is_array(json_object_get(doc, "advice")) &&
	      json_is_array(json_object_get(doc, "evidence")) &&
	      json_is_array(json_object_get(doc, "timeline")));
	formats(doc);
	sent(doc);
	if (json_is_object(o))
		formats(o);
	json_decref(o);
	free(text);
	return 0;
}
