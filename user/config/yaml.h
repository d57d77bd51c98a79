/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A YAML text held against a libcyaml schema before libcyaml loads it: libcyaml
 * stops at the first fault, names the line before it, and takes "4x" for 4. Here
 * every fault is said, with its line and what is allowed there.
 *
 * A place is written "tracing.ports[1]".
 */
#ifndef UPCLOSE_CONFIG_YAML_H
#define UPCLOSE_CONFIG_YAML_H

#include <cyaml/cyaml.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uc_yaml;

/*
 * name is for messages and lives as long as the result, as text does. -EBADMSG
 * where it is not YAML or more than one document, which was said; -ENOMEM.
 */
int uc_yaml_new(const char *name, const char *text, size_t len, struct uc_yaml **ret);
void uc_yaml_free(struct uc_yaml *y);

/* Says everything that does not fit; the schema is of a mapping. */
void uc_yaml_check(struct uc_yaml *y, const cyaml_schema_value_t *schema);

/* Loads what was checked. *ret is for cyaml_free with uc_yaml_cyaml; NULL: the text is empty. */
int uc_yaml_load(struct uc_yaml *y, const cyaml_schema_value_t *schema, void **ret);
extern const cyaml_config_t uc_yaml_cyaml;

/* Is something written at this place? */
bool uc_yaml_has(const struct uc_yaml *y, const char *place);

/* For checks that a schema cannot state; the place need not exist. Says FILE:LINE: PLACE: text. */
__attribute__((format(printf, 3, 4))) void uc_yaml_fault(struct uc_yaml *y, const char *place,
							 const char *fmt, ...);
unsigned uc_yaml_faults(const struct uc_yaml *y); /* said so far */

/* A fault unless value, where one is written, lies in [min, max]; missing where none is. */
uint32_t uc_yaml_number(struct uc_yaml *y, const char *place, uint32_t value, uint32_t missing,
			uint32_t min, uint32_t max);

/* "500ms", "30s", "5m", "1h", "2d" in ns; missing_ns where text is NULL; a fault outside [min, max]. */
uint64_t uc_yaml_duration(struct uc_yaml *y, const char *place, const char *text,
			  uint64_t missing_ns, uint64_t min_ns, uint64_t max_ns);

#endif
