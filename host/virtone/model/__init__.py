# SPDX-License-Identifier: Apache-2.0
"""The guest's half (reference driver) and the device's half (oracle) of the device, in plain Python.

`docs/device.md` says what both do, `docs/architecture.md` section 4 what they know of each other.
"""
