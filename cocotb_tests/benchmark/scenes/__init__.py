# SPDX-License-Identifier: Apache-2.0
"""What runs inside the simulator: one cocotb test a file, its case and its findings as JSON (`stage`)."""
