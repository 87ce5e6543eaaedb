# SPDX-License-Identifier: Apache-2.0
"""Simulation engine: builds a bench with Verilator, runs its cocotb tests in a bounded child, reports what failed.

Importing this package imports neither cocotb nor the simulator; `hil.virtual` uses it from its supervisor process.
"""
