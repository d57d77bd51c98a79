# SPDX-License-Identifier: BSD-2-Clause
# What the tests link besides the core; see the Makefile.
SINKS := user/sink.c user/sink_json.c user/sink_table.c user/sink_text.c user/explain.c \
	user/report.c user/text.c

test_explain_EXTRA := user/explain.c user/text.c
test_options_EXTRA := user/options.c $(SINKS)
test_options_LIBS := -ljansson
test_recording_EXTRA := user/recording.c user/engine.c $(SINKS)
test_recording_LIBS := -ljansson
test_text_EXTRA := user/text.c
fuzz_decode_EXTRA := user/explain.c user/text.c
fuzz_recording_EXTRA := user/recording.c user/engine.c $(SINKS)
fuzz_recording_LIBS := -ljansson
