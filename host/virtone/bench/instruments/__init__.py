# SPDX-License-Identifier: Apache-2.0
"""Instrument drivers by the name that bench files use."""

from __future__ import annotations

from .i2s_analyzer import I2sAnalyzer
from .infiniivision import InfiniiVision
from .pace_meter import PaceMeter

DRIVERS = {"infiniivision": InfiniiVision, "i2s_analyzer": I2sAnalyzer, "pace_meter": PaceMeter}
