# SPDX-License-Identifier: Apache-2.0
"""Stimulus and analysis: from frames to play to numbers with an uncertainty.

Standard library, numpy and scipy only; nothing here knows an instrument or a device.
"""
