# SPDX-License-Identifier: Apache-2.0
"""Errors that end a verb with one line instead of a traceback: those whose message names the thing, the value and what would be right."""

from virtone.bench.errors import BenchError
from virtone.signal.capture import CaptureError
from virtone.signal.integrity import IntegrityError
from virtone.signal.latency import EstimateError
from virtone.signal.stimulus import StimulusError

REPORTED = (BenchError, CaptureError, IntegrityError, EstimateError, StimulusError, OSError)
