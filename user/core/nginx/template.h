/* SPDX-License-Identifier: BSD-2-Clause */
/* Text that a template engine replaces before nginx reads the file. */
#ifndef UPCLOSE_CORE_NGINX_TEMPLATE_H
#define UPCLOSE_CORE_NGINX_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/nginx/conf.h"

enum uc_nginx_template {
	UC_NGINX_TEMPLATE_NONE,
	UC_NGINX_TEMPLATE_MUSTACHE,  /* {{ x }}: Go, Jinja, Mustache */
	UC_NGINX_TEMPLATE_STATEMENT, /* {% x %}: Jinja, Twig */
	UC_NGINX_TEMPLATE_ERB,       /* <% x %> */
	UC_NGINX_TEMPLATE_VARIABLE   /* ${X}, in capitals as the environment has it: envsubst */
};

/* In a word; what nginx's own variables look like is none, so that a variable may still be one. */
enum uc_nginx_template uc_nginx_template(const struct uc_nginx_word *w);
/* In text outside of comments, the first of {{ }}, {% %} and <% %>; *at is its offset. */
enum uc_nginx_template uc_nginx_template_in(const char *p, size_t len, size_t *at);
/* "{{ }}" */
const char *uc_nginx_template_name(enum uc_nginx_template t);

#endif
