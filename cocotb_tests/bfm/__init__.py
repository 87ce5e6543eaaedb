# SPDX-License-Identifier: Apache-2.0
"""How benches drive the device: the guest's `Port` over the simulated RTL."""
