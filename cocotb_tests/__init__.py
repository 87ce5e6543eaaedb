# SPDX-License-Identifier: Apache-2.0
"""Simulation benches of the RTL: one folder per RTL folder, `engine` that runs them, `bfm` that drives them."""
