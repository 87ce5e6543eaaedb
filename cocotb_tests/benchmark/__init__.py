# SPDX-License-Identifier: Apache-2.0
"""`make bench`: how fast the simulation is, and what the device costs in bus cycles, beats and periods.

One module a figure; `scenes/` is what runs inside the simulator, `figure.py` what a figure is. `python -m
cocotb_tests.benchmark --out out` measures all of them and writes `out/benchmark.json`. No test depends on wall time:
`system/tb_budget.py` holds the device to the bounds that are counted in cycles and beats.
"""
