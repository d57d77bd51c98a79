/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The static program looks names up by what is in it. glibc would otherwise load the modules of nsswitch.conf(5),
 * which the host may have of another version, or not at all.
 */
#include <nss.h>

__attribute__((constructor)) static void use_own_names(void)
{
	__nss_configure_lookup("passwd", "files");
	__nss_configure_lookup("group", "files");
	__nss_configure_lookup("initgroups", "files");
	__nss_configure_lookup("hosts", "files dns");
	__nss_configure_lookup("services", "files");
	__nss_configure_lookup("protocols", "files");
}
