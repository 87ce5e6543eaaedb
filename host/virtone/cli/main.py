# SPDX-License-Identifier: Apache-2.0
"""`virtone VERB ...`. Exit codes: 0 done (certify: PASS; verify: confirmed; play: bit-exact; doctor: all well), 1 the answer is no,
2 the request, a file or the bench is unusable, 3 certify: INCONCLUSIVE, 130 Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from types import ModuleType

VERBS = ("certify", "verify", "play", "doctor")
DONE, NO, UNUSABLE, INTERRUPTED = 0, 1, 2, 130


def verb(name: str) -> ModuleType:
    """The module of a verb. Imported late: numerics and instruments take a second, in which Ctrl-C must end in one line as well."""
    return importlib.import_module(f"{__package__}.{name}")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="virtone",
        description="Measure and certify the latency of a virtio-snd device.",
        epilog=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name in VERBS:
        module = verb(name)
        text = (module.__doc__ or "").splitlines()[0]
        module.arguments(
            verbs.add_parser(
                name, help=text, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
            )
        )
    return top


@contextlib.contextmanager
def _nothing_begun(name: str) -> Iterator[None]:
    """Ctrl-C ends the process on the spot: nothing is started or written yet, and an import that is broken off says nonsense."""

    def end(*_: object) -> None:
        os.write(2, f"virtone {name}: interrupted\n".encode())
        os._exit(INTERRUPTED)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = next((word for word in given if word in VERBS), "")
    with _nothing_begun(name):
        from .reported import REPORTED

        options = parser().parse_args(given)
    try:
        return verb(options.verb).run(options)
    except REPORTED as error:
        print(f"virtone {name}: {error}", file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        print(f"virtone {name}: interrupted{getattr(verb(name), 'AFTER_INTERRUPT', '')}", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
