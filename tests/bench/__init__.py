# SPDX-License-Identifier: BSD-2-Clause
"""What upclose costs, measured side by side with no tracing at all and with what people would use otherwise."""
