# SPDX-License-Identifier: BSD-2-Clause
"""Real nginx, real upstreams, real faults: what the end-to-end tests and the demo share."""
