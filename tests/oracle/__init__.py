# SPDX-License-Identifier: BSD-2-Clause
"""Holds upclose against nginx's own log, connection by connection."""
