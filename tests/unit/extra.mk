# SPDX-License-Identifier: BSD-2-Clause
# What the tests link besides the core; see the Makefile.
EXPLAIN := user/explain.c user/known_idle.c user/text.c
SINKS := $(EXPLAIN) user/sink.c user/json.c user/sink_json.c user/sink_table.c user/sink_text.c user/report.c \
	user/errorlog.c

test_markup_EXTRA := user/incident/markup.c
test_incident_EXTRA := user/incident/incident.c user/incident/tell.c user/incident/markup.c
test_incident_LIBS := -ljansson
test_explain_EXTRA := $(EXPLAIN)
test_explain_LIBS := -ljansson
test_known_idle_EXTRA := user/known_idle.c
test_known_idle_LIBS := -ljansson -lm
test_options_EXTRA := user/options.c user/number.c user/plan.c $(SINKS)
test_options_LIBS := -ljansson
test_recording_EXTRA := user/recording.c user/engine.c $(SINKS)
test_recording_LIBS := -ljansson
test_engine_EXTRA := user/engine.c $(SINKS)
test_engine_LIBS := -ljansson
test_text_EXTRA := user/text.c
fuzz_decode_EXTRA := $(EXPLAIN)
fuzz_decode_LIBS := -ljansson
fuzz_recording_EXTRA := user/recording.c user/engine.c $(SINKS)
fuzz_recording_LIBS := -ljansson
test_spool_EXTRA := user/daemon/spool.c
fuzz_spool_EXTRA := user/daemon/spool.c
ALERTS := user/daemon/alert_text.c user/daemon/otlp.c
DELIVERY := $(ALERTS) user/daemon/delivery.c user/daemon/backlog.c user/daemon/spool.c user/daemon/secret.c \
	user/daemon/carrier.c user/daemon/carrier_http.c user/daemon/carrier_exec.c user/daemon/journal.c \
	user/daemon/sinks_config.c user/daemon/yaml.c user/json.c user/report.c user/options.c user/number.c user/plan.c user/log.c $(SINKS)
test_delivery_EXTRA := $(sort $(DELIVERY))
test_delivery_LIBS := -ljansson -lcurl -lcyaml -lyaml -lsystemd -lpthread -lm
fuzz_fix_EXTRA := user/check/rules.c user/check/edit.c user/check/fix.c user/check/evidence.c \
	user/known_idle.c user/text.c user/number.c
fuzz_fix_LIBS := -ljansson -lm
CONFIG := user/daemon/config.c user/daemon/alerts_config.c user/daemon/canaries_config.c user/daemon/sinks_config.c user/daemon/yaml.c \
	user/daemon/listen.c user/number.c user/probe/target.c
test_config_EXTRA := $(CONFIG)
test_config_LIBS := -lcyaml -lyaml -lcurl
fuzz_config_EXTRA := $(CONFIG)
fuzz_config_LIBS := -lcyaml -lyaml -lcurl
test_privilege_EXTRA := user/daemon/privilege.c
test_privilege_LIBS := -lseccomp
test_tally_EXTRA := user/daemon/tally.c user/text.c
test_intake_EXTRA := user/intake.c
test_alert_text_EXTRA := $(ALERTS) user/text.c
test_alert_text_LIBS := -ljansson
fuzz_documents_EXTRA := $(ALERTS) user/text.c
fuzz_documents_LIBS := -ljansson
test_backlog_EXTRA := user/daemon/backlog.c user/daemon/spool.c user/log.c
test_backlog_LIBS := -ljansson -lpthread
