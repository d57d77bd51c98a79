/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/yaml.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/log.h"
#include "base/number.h"
#include "base/util.h"

/* Beyond so many faults no more are said. */
#define FAULTS_SAID 20
#define PLACE_LEN   192
/* Of a bad value; its rest is left out. */
#define VALUE_LEN 60
/* No schema goes so deep, and libyaml's time grows with the square of the depth. */
#define DEPTH_MAX 32

struct uc_yaml {
	const char *name;
	const char *text;
	size_t len;
	yaml_document_t doc;
	bool *seen; /* by a node's index: an alias leads to a node for the second time */
	unsigned faults;
};

static yaml_node_t *node_at(const struct uc_yaml *y, int index)
{
	return yaml_document_get_node((yaml_document_t *)&y->doc, index);
}

static const char *text_of(const yaml_node_t *n)
{
	return (const char *)n->data.scalar.value;
}

/* --- faults ------------------------------------------------------------------------- */

__attribute__((format(printf, 4, 0))) static void
say(struct uc_yaml *y, const char *place, const yaml_node_t *n, const char *fmt, va_list args)
{
	char line[32] = "", what[640];

	if (y->faults++ >= FAULTS_SAID)
		return;
	vsnprintf(what, sizeof(what), fmt, args);
	if (n)
		snprintf(line, sizeof(line), "%zu: ", n->start_mark.line + 1);
	uc_error("%s:%s%s%s%s", y->name, *line ? line : " ", place, *place ? ": " : "", what);
}

__attribute__((format(printf, 4, 5))) static void fault(struct uc_yaml *y, const char *place,
							const yaml_node_t *n, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(y, place, n, fmt, args);
	va_end(args);
}

unsigned uc_yaml_faults(const struct uc_yaml *y)
{
	return y->faults;
}

/* --- parsing ------------------------------------------------------------------------ */

/* The line where the text becomes too deep; 0: it does not, or is not YAML. */
static size_t too_deep(const struct uc_yaml *y)
{
	size_t depth = 0, line = 0;
	bool more = true;
	yaml_parser_t parser;
	yaml_event_t e;

	if (!yaml_parser_initialize(&parser))
		return 0;
	yaml_parser_set_input_string(&parser, (const unsigned char *)y->text, y->len);
	while (more && !line && yaml_parser_parse(&parser, &e)) {
		depth += e.type == YAML_SEQUENCE_START_EVENT || e.type == YAML_MAPPING_START_EVENT;
		depth -= e.type == YAML_SEQUENCE_END_EVENT || e.type == YAML_MAPPING_END_EVENT;
		line = depth > DEPTH_MAX ? e.start_mark.line + 1 : 0;
		more = e.type != YAML_STREAM_END_EVENT;
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&parser);
	return line;
}

static int parse(struct uc_yaml *y)
{
	size_t deep = too_deep(y);
	yaml_document_t second;
	yaml_parser_t parser;
	int err = 0;

	if (deep) {
		uc_error("%s:%zu: more than %d levels of nesting", y->name, deep, DEPTH_MAX);
		return -EBADMSG;
	}
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)y->text, y->len);
	if (!yaml_parser_load(&parser, &y->doc)) {
		memset(&y->doc, 0, sizeof(y->doc));
		err = parser.error == YAML_MEMORY_ERROR ? -ENOMEM : -EBADMSG;
	} else if (yaml_document_get_root_node(&y->doc)) {
		if (!yaml_parser_load(&parser, &second)) {
			err = -EBADMSG;
		} else {
			if (yaml_document_get_root_node(&second)) {
				uc_error("%s: one YAML document only, and there is a second",
					 y->name);
				err = -EINVAL;
			}
			yaml_document_delete(&second);
		}
	}
	if (err == -EBADMSG)
		uc_error("%s:%zu: %s%s%s: this is not YAML", y->name, parser.problem_mark.line + 1,
			 parser.context ? parser.context : "", parser.context ? ", " : "",
			 parser.problem ? parser.problem : "cannot be read");
	yaml_parser_delete(&parser);
	return err == -EINVAL ? -EBADMSG : err;
}

int uc_yaml_new(const char *name, const char *text, size_t len, struct uc_yaml **ret)
{
	struct uc_yaml *y = calloc(1, sizeof(*y));
	int err;

	if (!y)
		return -ENOMEM;
	y->name = name;
	y->text = text;
	y->len = len;
	err = parse(y);
	if (!err) {
		y->seen = calloc(y->doc.nodes.top - y->doc.nodes.start + 1, sizeof(*y->seen));
		err = y->seen ? 0 : -ENOMEM;
	}
	if (err) {
		uc_yaml_free(y);
		return err;
	}
	*ret = y;
	return 0;
}

void uc_yaml_free(struct uc_yaml *y)
{
	if (!y)
		return;
	yaml_document_delete(&y->doc);
	free(y->seen);
	free(y);
}

/* --- the schema's checks ------------------------------------------------------------ */

static void check_node(struct uc_yaml *y, const char *place, int index,
		       const cyaml_schema_value_t *schema);

static bool whole_number(const char *s, bool sign)
{
	if (sign && *s == '-')
		s++;
	return *s && strlen(s) < 20 && strspn(s, "0123456789") == strlen(s);
}

static void check_integer(struct uc_yaml *y, const char *place, const yaml_node_t *n,
			  const cyaml_schema_value_t *schema)
{
	bool sign = schema->type == CYAML_INT;
	unsigned bits = schema->data_size * 8 - sign;
	uint64_t max = bits >= 64 ? UINT64_MAX : (1ULL << bits) - 1, got;
	const char *s = text_of(n);

	got = whole_number(s, sign) ? strtoull(*s == '-' ? s + 1 : s, NULL, 10) : 0;
	if (!whole_number(s, sign))
		fault(y, place, n, "'%.*s' is not valid: a whole number", VALUE_LEN, s);
	else if (got > max)
		fault(y, place, n, "'%.*s' is not valid: at most %" PRIu64, VALUE_LEN, s, max);
}

static void check_float(struct uc_yaml *y, const char *place, const yaml_node_t *n)
{
	const char *s = text_of(n);
	char *end;

	if (!*s || strspn(s, "0123456789.") != strlen(s) || (strtod(s, &end), *end))
		fault(y, place, n, "'%.*s' is not valid: a number such as 0.5", VALUE_LEN, s);
}

static void check_bool(struct uc_yaml *y, const char *place, const yaml_node_t *n)
{
	static const char *const words[] = { "true", "false", "yes", "no" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(text_of(n), words[i]))
			return;
	fault(y, place, n, "'%.*s' is not valid: true or false", VALUE_LEN, text_of(n));
}

static void check_word(struct uc_yaml *y, const char *place, const yaml_node_t *n,
		       const cyaml_schema_value_t *schema)
{
	char allowed[480] = "";
	size_t used = 0;

	for (uint32_t i = 0; i < schema->enumeration.count; i++) {
		const char *word = schema->enumeration.strings[i].str;

		if (!strcmp(text_of(n), word))
			return;
		if (used < sizeof(allowed))
			used += snprintf(allowed + used, sizeof(allowed) - used, "%s%s",
					 i ? ", " : "", word);
	}
	fault(y, place, n, "'%.*s' is not valid; allowed: %s", VALUE_LEN, text_of(n), allowed);
}

static void check_string(struct uc_yaml *y, const char *place, const yaml_node_t *n,
			 const cyaml_schema_value_t *schema)
{
	size_t len = n->data.scalar.length;

	if (strlen(text_of(n)) != len)
		fault(y, place, n, "must not contain NUL");
	else if (!len && schema->string.min)
		fault(y, place, n, "is empty; leave the line out, or give it a value");
	else if (len < schema->string.min || len > schema->string.max)
		/* not quoted: it may be a secret */
		fault(y, place, n, "has %zu bytes; allowed are %u to %u", len, schema->string.min,
		      schema->string.max);
}

static void list_keys(const cyaml_schema_field_t *fields, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (const cyaml_schema_field_t *f = fields; f->key && used < size; f++)
		used += snprintf(buf + used, size - used, "%s%s", f == fields ? "" : ", ", f->key);
}

static const cyaml_schema_field_t *field_of(const cyaml_schema_field_t *fields, const char *key)
{
	for (; fields->key; fields++)
		if (!strcmp(fields->key, key))
			return fields;
	return NULL;
}

static void join_place(char buf[PLACE_LEN], const char *place, const char *key)
{
	snprintf(buf, PLACE_LEN, "%s%s%s", place, *place ? "." : "", key);
}

static bool written_before(const struct uc_yaml *y, const yaml_node_t *n,
			   const yaml_node_pair_t *pair)
{
	const char *key = text_of(node_at(y, pair->key));

	for (const yaml_node_pair_t *p = n->data.mapping.pairs.start; p < pair; p++) {
		const yaml_node_t *k = node_at(y, p->key);

		if (k->type == YAML_SCALAR_NODE && !strcmp(text_of(k), key))
			return true;
	}
	return false;
}

static void check_pair(struct uc_yaml *y, const char *place, const yaml_node_t *n,
		       const yaml_node_pair_t *pair, const cyaml_schema_field_t *fields)
{
	const yaml_node_t *key = node_at(y, pair->key);
	const cyaml_schema_field_t *f;
	char inner[PLACE_LEN], allowed[480];

	list_keys(fields, allowed, sizeof(allowed));
	if (key->type != YAML_SCALAR_NODE) {
		fault(y, place, key, "a key must be a word; allowed here: %s", allowed);
		return;
	}
	join_place(inner, place, text_of(key));
	f = field_of(fields, text_of(key));
	if (!f)
		fault(y, inner, key, "no such key; allowed here: %s", allowed);
	else if (written_before(y, n, pair))
		fault(y, inner, key, "is a duplicate key");
	else
		check_node(y, inner, pair->value, &f->value);
}

static void check_mapping(struct uc_yaml *y, const char *place, const yaml_node_t *n,
			  const cyaml_schema_field_t *fields)
{
	char inner[PLACE_LEN];

	for (const yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top;
	     p++)
		check_pair(y, place, n, p, fields);
	for (const cyaml_schema_field_t *f = fields; f->key; f++) {
		join_place(inner, place, f->key);
		if (!(f->value.flags & CYAML_FLAG_OPTIONAL) && !uc_yaml_has(y, inner))
			fault(y, inner, n, "is missing");
	}
}

static void check_sequence(struct uc_yaml *y, const char *place, const yaml_node_t *n,
			   const cyaml_schema_value_t *schema)
{
	size_t count = n->data.sequence.items.top - n->data.sequence.items.start;
	char inner[PLACE_LEN];

	if (count < schema->sequence.min || count > schema->sequence.max)
		fault(y, place, n, "has %zu entries; allowed are %u to %u", count,
		      schema->sequence.min, schema->sequence.max);
	for (size_t i = 0; i < count; i++) {
		snprintf(inner, sizeof(inner), "%.*s[%zu]", PLACE_LEN - 24, place, i);
		check_node(y, inner, n->data.sequence.items.start[i], schema->sequence.entry);
	}
}

static void check_flags(struct uc_yaml *y, const char *place, const yaml_node_t *n,
			const cyaml_schema_value_t *schema)
{
	for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top;
	     i++) {
		const yaml_node_t *word = node_at(y, *i);

		if (word->type == YAML_SCALAR_NODE)
			check_word(y, place, word, schema);
		else
			fault(y, place, word, "a list of words is wanted here");
	}
}

static yaml_node_type_t node_type_of(const cyaml_schema_value_t *schema, const char **ret_name)
{
	switch (schema->type) {
	case CYAML_MAPPING:
		*ret_name = "keys and values are wanted here";
		return YAML_MAPPING_NODE;
	case CYAML_SEQUENCE:
	case CYAML_FLAGS:
		*ret_name = "a list is wanted here, such as [a, b]";
		return YAML_SEQUENCE_NODE;
	default:
		*ret_name = "one value is wanted here";
		return YAML_SCALAR_NODE;
	}
}

static void check_node(struct uc_yaml *y, const char *place, int index,
		       const cyaml_schema_value_t *schema)
{
	const yaml_node_t *n = node_at(y, index);
	const char *wanted;

	if (y->seen[index - 1]) {
		fault(y, place, n, "anchors and aliases are not allowed: write it out");
		return;
	}
	y->seen[index - 1] = true;
	if (n->type == YAML_SCALAR_NODE && !n->data.scalar.length &&
	    (schema->flags & CYAML_FLAG_POINTER_NULL) == CYAML_FLAG_POINTER_NULL)
		return;
	if (n->type != node_type_of(schema, &wanted)) {
		fault(y, place, n, "%s", wanted);
		return;
	}
	switch (schema->type) {
	case CYAML_INT:
	case CYAML_UINT:
		check_integer(y, place, n, schema);
		break;
	case CYAML_FLOAT:
		check_float(y, place, n);
		break;
	case CYAML_BOOL:
		check_bool(y, place, n);
		break;
	case CYAML_ENUM:
		check_word(y, place, n, schema);
		break;
	case CYAML_FLAGS:
		check_flags(y, place, n, schema);
		break;
	case CYAML_STRING:
		check_string(y, place, n, schema);
		break;
	case CYAML_MAPPING:
		check_mapping(y, place, n, schema->mapping.fields);
		break;
	case CYAML_SEQUENCE:
		check_sequence(y, place, n, schema);
		break;
	default:
		abort(); /* the schemas use no other */
	}
}

/* No text, comments alone, or a document of nothing. */
static bool is_empty(const struct uc_yaml *y)
{
	const yaml_node_t *root = node_at(y, 1);

	return !root || (root->type == YAML_SCALAR_NODE && !root->data.scalar.length);
}

void uc_yaml_check(struct uc_yaml *y, const cyaml_schema_value_t *schema)
{
	if (is_empty(y))
		return;
	check_node(y, "", 1, schema);
	if (y->faults > FAULTS_SAID)
		uc_error("%s: and %u more", y->name, y->faults - FAULTS_SAID);
}

/* --- loading ------------------------------------------------------------------------ */

/* Without a log function: what libcyaml says quotes values, and they may be secret. */
const cyaml_config_t uc_yaml_cyaml = { .mem_fn = cyaml_mem, .flags = CYAML_CFG_NO_ALIAS };

int uc_yaml_load(struct uc_yaml *y, const cyaml_schema_value_t *schema, void **ret)
{
	cyaml_err_t err = CYAML_OK;

	*ret = NULL;
	if (!is_empty(y))
		err = cyaml_load_data((const uint8_t *)y->text, y->len, &uc_yaml_cyaml, schema, ret,
				      NULL);
	if (err == CYAML_OK)
		return 0;
	uc_error("%s: %s", y->name, cyaml_strerror(err));
	return err == CYAML_ERR_OOM ? -ENOMEM : -EINVAL;
}

/* --- places ------------------------------------------------------------------------- */

static const yaml_node_t *in_mapping(const struct uc_yaml *y, const yaml_node_t *n, const char *key,
				     size_t len)
{
	if (n->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top;
	     p++) {
		const yaml_node_t *k = node_at(y, p->key);

		if (k->type == YAML_SCALAR_NODE && strlen(text_of(k)) == len &&
		    !memcmp(text_of(k), key, len))
			return node_at(y, p->value);
	}
	return NULL;
}

static const yaml_node_t *in_sequence(const struct uc_yaml *y, const yaml_node_t *n, size_t index)
{
	if (n->type != YAML_SEQUENCE_NODE ||
	    index >= (size_t)(n->data.sequence.items.top - n->data.sequence.items.start))
		return NULL;
	return node_at(y, n->data.sequence.items.start[index]);
}

/* The node at a place, else NULL; *ret_near is then the last on the way to it. */
static const yaml_node_t *find(const struct uc_yaml *y, const char *place,
			       const yaml_node_t **ret_near)
{
	const yaml_node_t *n = node_at(y, 1);

	*ret_near = n;
	while (n && *place) {
		size_t len = strcspn(place, ".[");

		*ret_near = n;
		if (*place == '[') {
			char *end;

			n = in_sequence(y, n, strtoul(place + 1, &end, 10));
			place = *end == ']' ? end + 1 : end;
		} else {
			n = in_mapping(y, n, place, len);
			place += len;
		}
		if (*place == '.')
			place++;
	}
	if (n)
		*ret_near = n;
	return n;
}

bool uc_yaml_has(const struct uc_yaml *y, const char *place)
{
	const yaml_node_t *near;

	return find(y, place, &near);
}

void uc_yaml_fault(struct uc_yaml *y, const char *place, const char *fmt, ...)
{
	const yaml_node_t *near;
	va_list args;

	find(y, place, &near);
	va_start(args, fmt);
	say(y, place, near, fmt, args);
	va_end(args);
}

/* --- values ------------------------------------------------------------------------- */

uint32_t uc_yaml_number(struct uc_yaml *y, const char *place, uint32_t value, uint32_t missing,
			uint32_t min, uint32_t max)
{
	if (!uc_yaml_has(y, place))
		return missing;
	if (value < min || value > max)
		uc_yaml_fault(y, place, "%u is not valid: a whole number from %u to %u", value, min,
			      max);
	return value;
}

uint64_t uc_yaml_duration(struct uc_yaml *y, const char *place, const char *text,
			  uint64_t missing_ns, uint64_t min_ns, uint64_t max_ns)
{
	char min[32], max[32];
	uint64_t ns;

	if (!text)
		return missing_ns;
	if (uc_parse_duration(text, &ns) && ns >= min_ns && ns <= max_ns)
		return ns;
	uc_print_duration(min_ns, min, sizeof(min));
	uc_print_duration(max_ns, max, sizeof(max));
	uc_yaml_fault(y, place,
		      "'%.*s' is not valid: a duration from %s to %s, a whole number with its unit "
		      "(ms, s, m, h or d)",
		      VALUE_LEN, text, min, max);
	return missing_ns;
}
