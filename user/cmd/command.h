/* SPDX-License-Identifier: BSD-2-Clause */
/* The subcommands: argv[0] is the command's name; each returns an exit status. */
#ifndef UPCLOSE_COMMAND_H
#define UPCLOSE_COMMAND_H

/* Exit statuses; the manual has them too. */
enum { UC_EXIT_DONE = 0, UC_EXIT_FAILED = 1, UC_EXIT_USAGE = 2, UC_EXIT_FOUND = 3 };

int uc_cmd_trace(int argc, char **argv);
int uc_cmd_replay(int argc, char **argv);
int uc_cmd_report(int argc, char **argv);
int uc_cmd_daemon(int argc, char **argv);
int uc_cmd_check(int argc, char **argv);
int uc_cmd_probe(int argc, char **argv);
int uc_cmd_hooks(int argc, char **argv);

#endif
