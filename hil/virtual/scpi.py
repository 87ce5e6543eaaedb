# SPDX-License-Identifier: Apache-2.0
"""SCPI for virtual instruments: mnemonic matcher, parser, status registers and error queue (IEEE 488.2, SCPI-99).

Promises: a device is a table of patterns as manuals print them (`:CHANnel<n>:DISPlay`, short form in capitals) with a
setter and a getter each; program messages are parsed as SCPI-99 volume 1, chapter 6 says (short and long forms, `;` and the
current path, suffixes, `?`); what is wrong goes to the error queue and never raises out of `execute`.
Its user subclasses `ScpiDevice`, registers commands with `self.on(...)`, and calls `execute` once per program message.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

Getter = Callable[..., "str | bytes | int | float | bool"]
Setter = Callable[..., None]

ERRORS = {  # SCPI-99 volume 2, chapter 21.8
    -100: "Command error",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -113: "Undefined header",
    -114: "Header suffix out of range",
    -200: "Execution error",
    -221: "Settings conflict",
    -222: "Data out of range",
    -224: "Illegal parameter value",
    -230: "Data corrupt or stale",
    -350: "Queue overflow",
    -410: "Query INTERRUPTED",
}
ESR_OPC, ESR_QUERY, ESR_DEVICE, ESR_EXECUTION, ESR_COMMAND = 1, 4, 8, 16, 32


class ScpiError(Exception):
    """An entry for the error queue: a number of `ERRORS` and, if it helps, what is wrong and what would be right."""

    def __init__(self, code: int, detail: str = "") -> None:
        self.code, self.detail = code, detail
        super().__init__(f"{ERRORS.get(code, 'Device-specific error')}{'; ' + detail if detail else ''}")


class Cancelled(Exception):
    """A device clear (or the end of the server) broke off a command that was waiting."""


@dataclass(frozen=True)
class Command:
    """One row of a device's table."""

    pattern: str
    regex: re.Pattern[str]
    set: Setter | None
    get: Getter | None


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Regular expression for a header as manuals print it; `<n>` is a numeric suffix (1 when left out), `[:NODE]` optional."""
    if pattern.startswith("*"):
        return re.compile(re.escape(pattern), re.IGNORECASE)
    text = ""
    for optional, mnemonic, suffix in re.findall(r"(\[)?:([A-Za-z_]+)(<n>)?\]?", pattern):
        short = "".join(c for c in mnemonic if not c.islower())
        node = f":(?:{mnemonic}|{short})" + (r"(\d*)" if suffix else "")
        text += f"(?:{node})?" if optional else node
    return re.compile(text, re.IGNORECASE)


def split_quoted(text: str, separator: str) -> list[str]:
    """Split at a separator outside of quotes; the pieces are stripped."""
    pieces, piece, quote = [], "", ""
    for char in text:
        quote = "" if char == quote else char if not quote and char in "\"'" else quote
        if char == separator and not quote:
            pieces.append(piece.strip())
            piece = ""
        else:
            piece += char
    return [*pieces, piece.strip()]


def boolean(text: str) -> bool:
    """`ON|OFF|1|0`."""
    try:
        return {"ON": True, "1": True, "OFF": False, "0": False}[text.strip().upper()]
    except KeyError:
        raise ScpiError(-224, f"{text}: right is ON, OFF, 1 or 0") from None


def number(text: str, low: float, high: float, **names: float) -> float:
    """A decimal number in [low, high], an SI-suffixed one (`50us`), or one of the names given (`MAXimum=...`)."""
    for name, value in names.items():
        if is_mnemonic(name, text):
            return value
    found = re.fullmatch(
        r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([munpkMG]|MA)?(V|S|HZ|s|v|Hz|hz)?\s*", text
    )
    if not found:
        raise ScpiError(-104, f"{text!r} is no number")
    scale = {None: 1, "n": 1e-9, "u": 1e-6, "m": 1e-3, "p": 1e-12, "k": 1e3, "M": 1e-3, "MA": 1e6, "G": 1e9}[found[2]]
    value = float(found[1]) * scale
    if not low <= value <= high:
        raise ScpiError(-222, f"{text}: right is {low:g} to {high:g}")
    return value


def is_mnemonic(mnemonic: str, text: str) -> bool:
    """Is `text` the short or the long form of `mnemonic` (as printed in manuals)?"""
    return text.strip().upper() in (mnemonic.upper(), "".join(c for c in mnemonic if not c.islower()).upper())


def choice(text: str, *mnemonics: str) -> str:
    """The short form of the mnemonic that `text` names."""
    for mnemonic in mnemonics:
        if is_mnemonic(mnemonic, text):
            return "".join(c for c in mnemonic if not c.islower())
    raise ScpiError(-224, f"{text}: right is {'|'.join(mnemonics)}")


def block(data: bytes) -> bytes:
    """IEEE 488.2 definite length arbitrary block response data."""
    length = b"%d" % len(data)
    return b"#%d" % len(length) + length + data


def text_of(value: str | bytes | int | float | bool) -> bytes:
    """Response data: NR1 for int, NR3 for float, 0/1 for bool."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bool):
        return b"1" if value else b"0"
    return b"%+d" % value if isinstance(value, int) else f"{value:+.12E}".encode()


class ScpiDevice:
    """A device behind any transport; `execute` may be called from several threads, one message at a time is carried out."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.lock = threading.RLock()
        self._commands: list[Command] = []
        self._found: dict[str, tuple[Command, tuple[int, ...]] | None] = {}
        self._errors: deque[ScpiError] = deque()
        self._esr = self._ese = self._sre = 0
        self.cancel = threading.Event()  # of the message being executed
        self._local = threading.local()
        self.on("*IDN", get=lambda: self.identity)
        self.on("*RST", set=self.reset)
        self.on("*CLS", set=self.clear_status)
        self.on("*OPC", set=self._note_complete, get=lambda: "1")
        self.on("*ESR", get=self._read_esr)
        self.on("*ESE", set=lambda v: setattr(self, "_ese", int(number(v, 0, 255))), get=lambda: self._ese)
        self.on("*SRE", set=lambda v: setattr(self, "_sre", int(number(v, 0, 255))), get=lambda: self._sre)
        self.on("*STB", get=self.status_byte)
        self.on("*WAI", set=lambda: None)
        self.on("*TST", get=lambda: "+0")
        self.on("*OPT", get=lambda: "0")
        self.on(":SYSTem:ERRor[:NEXT]", get=self.next_error)

    # -- what a subclass uses or overrides ------------------------------------------------------------------------
    def on(self, pattern: str, *, set: Setter | None = None, get: Getter | None = None) -> None:
        """Add a row: `set(*suffixes, *parameters)` for the command, `get(*suffixes, *parameters)` for the query."""
        self._commands.append(Command(pattern, compile_pattern(pattern), set, get))

    def reset(self) -> None:
        """*RST."""

    def clear_status(self) -> None:
        """*CLS."""
        self._errors.clear()
        self._esr = 0

    def status_byte(self) -> int:
        """IEEE 488.2 status byte without MAV: bit 5 event summary, bit 6 request for service."""
        byte = (1 << 5) if self._esr & self._ese else 0
        return byte | ((1 << 6) if byte & self._sre else 0)

    def next_error(self) -> str:
        if not self._errors:
            return '+0,"No error"'
        error = self._errors.popleft()
        return f'{error.code:+d},"{str(error)[:255]}"'

    def push_error(self, error: ScpiError) -> None:
        """Queue an error (at most 30; then the last one becomes -350) and set its bit in the event register."""
        if len(self._errors) >= 30:
            self._errors[-1] = ScpiError(-350)
        else:
            self._errors.append(error)
        self._esr |= {1: ESR_COMMAND, 2: ESR_EXECUTION, 4: ESR_QUERY}.get(-error.code // 100, ESR_DEVICE)

    def wait_until(self, condition: Callable[[], bool], poll_s: float = 0.002) -> None:
        """Block the parser of this client (overlapped commands made sequential), other clients go on; ends with `Cancelled`."""
        cancel = getattr(self._local, "cancel", self.cancel)
        while not condition():
            self.lock.release()
            try:
                if cancel.wait(poll_s):
                    raise Cancelled
            finally:
                self.lock.acquire()

    # -- the parser ---------------------------------------------------------------------------------------------------
    def execute(self, message: bytes | str, cancel: threading.Event | None = None) -> bytes | None:
        """Carry out one program message; returns the response message with its newline, or None if nothing was asked."""
        text = message.decode("latin-1") if isinstance(message, bytes) else message
        self._local.cancel = cancel or self.cancel
        answers: list[bytes] = []
        with self.lock:
            path = ""
            try:
                for unit in split_quoted(text.strip(), ";"):
                    if unit:
                        path = self._unit(unit, path, answers)
            except Cancelled:
                return None
            except ScpiError as error:
                self.push_error(error)
            except (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
                # A defect of ours must not take the server down: it is reported like a device error.
                self.push_error(ScpiError(-200, f"{type(error).__name__}: {error}"))
        return b";".join(answers) + b"\n" if answers else None

    def _unit(self, unit: str, path: str, answers: list[bytes]) -> str:
        """One program message unit; returns the path that the next one is relative to."""
        header, _, rest = unit.partition(" ")
        query = header.endswith("?")
        header = header.removesuffix("?")
        if header.startswith("*"):
            full = header
        else:
            full = header if header.startswith(":") else f"{path}:{header}"
            path = full.rpartition(":")[0]
        command, suffixes = self._match(full)
        parameters = split_quoted(rest, ",") if rest.strip() else []
        handler = command.get if query else command.set
        if handler is None:
            raise ScpiError(-113, f"{full}{'?' if query else ''}")
        try:
            value = handler(*suffixes, *parameters)
        except TypeError as error:
            if "argument" not in str(error) or error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise
            raise ScpiError(-109 if "missing" in str(error) else -108, full) from None
        if query:
            answers.append(text_of(value))
        return path

    def _match(self, header: str) -> tuple[Command, tuple[int, ...]]:
        key = header.upper()
        if key not in self._found:
            self._found[key] = None
            for command in self._commands:
                found = command.regex.fullmatch(header)
                if found:
                    self._found[key] = command, tuple(int(s) if s else 1 for s in found.groups())
                    break
        match = self._found[key]
        if match is None:
            raise ScpiError(-113, header)
        return match

    def _note_complete(self) -> None:
        self._esr |= ESR_OPC

    def _read_esr(self) -> int:
        value, self._esr = self._esr, 0
        return value
