# SPDX-License-Identifier: Apache-2.0
"""A bench without a device: a console that understands `sndprobe` and an oscilloscope that sees what the converter would give."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from tests.signal.synthetic import play
from virtone.bench.config import load_bench
from virtone.bench.instruments.digitizer import Identity
from virtone.signal import stimulus

BENCH = """
title = "fake bench"
[virtual]
command = ["true"]
[console]
port = "virtual:console"
[board]
name = "fake"
codec = "PCM5102A"
[instruments.oscilloscope]
driver = "infiniivision"
resource = "virtual:oscilloscope"
timebase_ppm = 1.6
[instruments.oscilloscope.channels.analog]
number = 1
range_v = 8.0
[instruments.oscilloscope.channels.marker]
number = 2
range_v = 8.0
threshold_v = 1.65
"""


class FakeBench:
    """``wrong_code``: shot that plays another code; ``lie_frames``: added to what the guest is told; ``fault``: in the clean material;
    ``wait_s``: the position is updated so much after a completion; ``deaf``: seeded faults are not played; ``stop_after``: commands until Ctrl-C."""

    def __init__(self, folder: Path, wrong_code=None, lie_frames=0, fault="none", deaf=False, stop_after=None,
                 build_id="00000001", wait_s=0.0):  # fmt: skip
        file = folder / "bench-source.toml"
        file.write_text(BENCH)
        self.config = load_bench(file)
        self.identity = Identity("VIRTONE", "DSOX0000-SIM", "0", "1")
        self.oscilloscope = self
        self.board = SimpleNamespace(console=self)
        self.wrong_code, self.lie, self.fault, self.deaf, self.stop_after = (
            wrong_code,
            lie_frames,
            fault,
            deaf,
            stop_after,
        )
        self.build_id, self.wait_s = build_id, wait_s
        self.commands: list[str] = []
        self.captures = []

    pace = facts = None

    def seconds(self, t):
        return t

    def configure(self, setup):
        self.setup = setup

    def arm(self, timeout_s=10.0):
        self.captures = []

    def wait(self, timeout_s):
        return len(self.captures)

    def fetch(self, segment=1):
        return self.captures[segment - 1]

    def run(self, command, timeout_s=None, on_line=None):
        words = command.split()
        self.commands.append(command)
        if self.stop_after is not None and len(self.commands) > self.stop_after:
            raise KeyboardInterrupt
        if words[1] == "version":
            return [
                json.dumps({"sndprobe": "fake", "build_id": self.build_id}),
                json.dumps({"done": True, "status": 0}),
            ]
        o = dict(zip((w[2:] for w in words[2::2]), words[3::2], strict=True))
        rate, period = int(o["rate"]), int(o["period"])
        time = self.setup.timebase
        converter_s = 20 / rate
        common = {"t0_s": -time.pre_trigger_s, "span_s": time.span_s, "noise_v": 3e-4}
        if words[1] == "material":
            fault = self.fault if o["fault"] == "none" else "none" if self.deaf else o["fault"]
            frames = int(o["frames"])
            x = stimulus.faulty_material(frames, rate, fault, int(o["at-frame"]), int(o["fault-frames"]), detune_ppm=50)
            marks = [i * period / rate for i in range(frames // period)]
            self.captures = [play(x, rate, delay_s=converter_s - period / rate, marks_s=marks, **common)]
            lines = []
        else:
            lines = []
            rng = np.random.default_rng(int(o["seed"]))
            buffer_s = period * int(o["periods"]) / rate
            for i in range(int(o["count"])):
                code = int(o["first-code"]) + i
                late = rng.uniform(0, period / rate)
                delay = (0.0 if o["marker"] == "notify" else 20e-6) + buffer_s - late + converter_s
                said = code
                if self.wrong_code == code:
                    code = (code + 1) % 2047
                self.captures.append(play(stimulus.burst(code, rate), rate, delay_s=delay, seed=code, **common))
                lines.append(
                    {
                        "shot": i,
                        "code": said,
                        "frame": 0,
                        "appl_ptr": (int(o["periods"]) + 1) * period,
                        "hw_ptr": period,
                        "told_frames": int(o["periods"]) * period + 20 + self.lie,
                        "since_update_ns": (late - self.wait_s) * 1e9,
                        "stages_ns": {
                            "A": 0,
                            "N": 20000 if o["marker"] == "notify" else None,
                            "F": 30000,
                            "W": (delay - converter_s) * 1e9,
                            "C": ((0.0 if o["marker"] == "notify" else 20e-6) - late + buffer_s + period / rate) * 1e9,
                        },
                    }
                )
        return [json.dumps(line) for line in lines] + [
            json.dumps(
                {"done": True, "status": 0, "xruns": 0, "underruns": 0}
                | dict.fromkeys(("msg_polling", "event_idx"), o["marker"] != "notify")
            )
        ]
