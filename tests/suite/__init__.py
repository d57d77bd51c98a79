# SPDX-License-Identifier: BSD-2-Clause
"""nginx's own test suite as a judge of upclose."""
