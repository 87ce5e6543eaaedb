# SPDX-License-Identifier: Apache-2.0
"""Make a recording of the Linux that the board has: `python -m hil.recordings [FILE]`, by default hil/recordings/linux-RELEASE.txt."""

from __future__ import annotations

import sys
from pathlib import Path

from hil.recordings.board import record
from hil.recordings.records import RecordingError, text
from hil.virtual.linux_board.errors import BoardError
from virtone.bench.errors import ConsoleError


def main() -> int:
    try:
        recording = record()
    except (BoardError, ConsoleError, RecordingError) as error:
        print(f"error: no recording: {error}", file=sys.stderr)
        return 1
    name = recording.head["kernel"].split("+")[0].split("-")[0]
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / f"linux-{name}.txt"
    part = file.with_suffix(".part")
    part.write_text(text(recording))
    part.rename(file)
    print(f"{file.name}: {len(recording.records)} records of kernel {recording.head['kernel']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
