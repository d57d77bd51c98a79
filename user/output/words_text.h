/* SPDX-License-Identifier: BSD-2-Clause */
/* What nginx said, for people. */
#ifndef UPCLOSE_OUTPUT_WORDS_TEXT_H
#define UPCLOSE_OUTPUT_WORDS_TEXT_H

#include "core/conn/words.h"

struct uc_words_line {
	char text[256];
};
/*
 * For people, as nginx's log has it, without what it was about: the format with "..."
 * for what varies, the error, and what nginx was doing. Printable ASCII.
 */
struct uc_words_line uc_words_text(const struct uc_words *w);

#endif
