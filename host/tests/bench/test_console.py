# SPDX-License-Identifier: Apache-2.0
"""The console over a pty: a small board on its other end, well-behaved and not."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import pty
import threading
import time
import tty
from collections.abc import Callable, Iterator

import pytest

from virtone.bench.board import Board
from virtone.bench.console import Console
from virtone.bench.errors import CommandFailed, ConsoleLost, ConsoleTimeout
from virtone.bench.transport import SerialLine

PROMPT = b"virtone# "


class FakeBoard:
    """Echoes lines, runs `answer(line)`, prints its lines and the prompt; `put` takes its base64 lines."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.port, self._slave = os.ttyname(slave), slave
        self.answers: Callable[[str], list[str] | None] = lambda line: []
        self.files: dict[str, bytes] = {}
        self.heard: list[str] = []
        threading.Thread(target=self._run, daemon=True).start()

    def say(self, text: str | bytes) -> None:
        os.write(self.master, text.encode() if isinstance(text, str) else text)

    def hang_up(self) -> None:
        for fd in (self.master, self._slave):
            with contextlib.suppress(OSError):
                os.close(fd)

    def _lines(self) -> Iterator[str]:
        pending = b""
        while True:
            try:
                pending += os.read(self.master, 4096)
            except OSError:
                return
            *lines, pending = pending.replace(b"\x03", b"").split(b"\n")
            yield from (line.decode() for line in lines)

    def _run(self) -> None:
        lines = self._lines()
        for line in lines:
            self.heard.append(line)
            with contextlib.suppress(OSError):
                self.say(line + "\r\n")
                words = line.split()
                if words[:2] == ["sndprobe", "put"]:
                    self._put(lines, *words[2:])
                elif line and not line.startswith("#"):
                    answer = self.answers(line)
                    if answer is None:
                        continue  # hangs
                    for text in answer:
                        self.say(text + "\r\n")
                self.say(PROMPT)

    def _put(self, lines: Iterator[str], name: str, size: str, digest: str) -> None:
        data = b"".join(base64.b64decode(line) for line in iter(lambda: next(lines), ""))
        good = len(data) == int(size) and hashlib.sha256(data).hexdigest() == digest
        self.files[name] = data
        self.say(
            json.dumps({"done": True, "status": 0} if good else {"done": True, "status": 1, "error": "sha256"}) + "\r\n"
        )


@pytest.fixture
def fake() -> Iterator[FakeBoard]:
    made = FakeBoard()
    yield made
    made.hang_up()


@pytest.fixture
def console(fake: FakeBoard) -> Iterator[Console]:
    made = Console(SerialLine(fake.port), timeout_s=2)
    made.reach_prompt()
    yield made
    made.close()


def done(**extra: object) -> str:
    return json.dumps({"done": True, "status": 0, **extra})


def test_lines_without_echo_and_prompt(fake: FakeBoard, console: Console) -> None:
    fake.answers = lambda line: ["one", "virtone# is a prompt only at the end", "three"]
    for _ in range(3):
        assert console.run("show") == ["one", "virtone# is a prompt only at the end", "three"]


def test_records_and_kernel_messages(fake: FakeBoard, console: Console) -> None:
    seen: list[dict] = []
    fake.answers = lambda line: ['{"shot": 1}', "[   12.5] random: crng init done", '{"shot": 2}', done()]
    board = Board(console)
    records = board.play(
        rate=48000, format="S16", period=480, periods=4, policy="ack", cold_start=None, on_record=seen.append
    )
    assert records == seen == [{"shot": 1}, {"shot": 2}]
    assert fake.heard[-1] == "sndprobe play --rate 48000 --format S16 --period 480 --periods 4 --policy ack"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (["error: no such verb 'pley'; did you mean play?"], "no such verb 'pley'"),
        (
            ['{"shot": 1}', json.dumps({"done": True, "status": 5, "error": "period too small"})],
            "status 5: period too small",
        ),
        (['{"shot": 1}'], "ended without"),
        ([], "ended without"),
        (['{"shot": 1', done()], "is no JSON"),
    ],
)
def test_failures(fake: FakeBoard, console: Console, answer: list[str], message: str) -> None:
    fake.answers = lambda line: answer
    with pytest.raises(CommandFailed, match=message):
        Board(console).probe("play")
    fake.answers = lambda line: ['{"build": "x"}', done()]
    assert Board(console).version() == {"build": "x"}  # still in step


def test_hanging_command_and_recovery(fake: FakeBoard, console: Console) -> None:
    fake.answers = lambda line: None
    with pytest.raises(
        ConsoleTimeout, match=r"waited 0\.3 s for the end of 'sndprobe play'.*last line is 'sndprobe play'"
    ):
        console.run("sndprobe play", timeout_s=0.3)
    console.reach_prompt()
    fake.answers = lambda line: ["well"]
    assert console.run("hello") == ["well"]


def test_a_late_echo_is_no_answer(fake: FakeBoard, console: Console) -> None:
    """What the line still owes to Ctrl-C comes before the remark's echo, and is dropped with it."""
    say, owed = fake.say, [b"^C\r\n" + PROMPT]

    def late(text: str | bytes) -> None:
        say(text)
        if text == PROMPT and owed:
            time.sleep(0.2)
            say(owed.pop())

    fake.say = late  # type: ignore[method-assign]
    console.reach_prompt()
    fake.answers = lambda line: ["well"]
    assert console.run("hello") == ["well"]


def test_no_prompt() -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    console = Console(SerialLine(os.ttyname(slave)))
    with pytest.raises(ConsoleTimeout, match=r"waited 0\.3 s for the prompt; nothing was heard"):
        console.reach_prompt(0.3)
    os.write(master, b"login: ")
    with pytest.raises(ConsoleTimeout, match="last line is 'login: '"):
        console.reach_prompt(0.3)
    console.close()
    os.close(master)
    os.close(slave)


def test_upload(fake: FakeBoard, console: Console) -> None:
    data = os.urandom(200_001)
    Board(console).put("in.wav", data)
    assert fake.files["in.wav"] == data
    Board(console).put("empty", b"")
    assert fake.files["empty"] == b""


def test_board_goes_away(fake: FakeBoard, console: Console) -> None:
    def vanish(line: str) -> list[str]:
        threading.Timer(0.1, fake.hang_up).start()
        time.sleep(0.2)
        return []

    fake.answers = vanish
    with pytest.raises(ConsoleLost, match=r"has gone|takes no input"):
        console.run("anything", timeout_s=3)


def test_no_such_port() -> None:
    with pytest.raises(ConsoleLost, match=r"/dev/nothing: cannot open the console.*console\.port"):
        SerialLine("/dev/nothing")


@pytest.mark.parametrize("value", ["a b", "x;reboot", "", "ü", "a\nb", "$(id)"])
def test_arguments_that_the_console_cannot_carry(console: Console, value: str) -> None:
    with pytest.raises(ValueError, match="cannot go over the console"):
        Board(console).probe("play", source=value)
