# SPDX-License-Identifier: Apache-2.0
"""`virtone VERB ...`. Exit codes: 0 done (certify: PASS; verify: confirmed; play: bit-exact; doctor: all well), 1 the answer is no,
2 the request, a file or the bench is unusable, 3 certify: INCONCLUSIVE, 130 Ctrl-C."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from virtone.bench.errors import BenchError
from virtone.signal.capture import CaptureError
from virtone.signal.integrity import IntegrityError
from virtone.signal.latency import EstimateError
from virtone.signal.stimulus import StimulusError

from . import certify, doctor, play, verify

VERBS = {"certify": certify, "verify": verify, "play": play, "doctor": doctor}
DONE, NO, UNUSABLE, INTERRUPTED = 0, 1, 2, 130


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="virtone",
        description="Measure and certify the latency of a virtio-snd device.",
        epilog=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, module in VERBS.items():
        text = (module.__doc__ or "").splitlines()[0]
        module.arguments(
            verbs.add_parser(
                name, help=text, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
            )
        )
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        return VERBS[options.verb].run(options)
    except KeyboardInterrupt:
        print(
            f"virtone {options.verb}: interrupted{getattr(VERBS[options.verb], 'AFTER_INTERRUPT', '')}", file=sys.stderr
        )
        return INTERRUPTED
    except (BenchError, CaptureError, IntegrityError, EstimateError, StimulusError, OSError) as error:
        print(f"virtone {options.verb}: {error}", file=sys.stderr)
        return UNUSABLE


if __name__ == "__main__":
    sys.exit(main())
