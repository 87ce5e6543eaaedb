# SPDX-License-Identifier: Apache-2.0
"""Benches: what plans and bench files describe, and the virtual bench that stands in for hardware. Nothing imports this."""
