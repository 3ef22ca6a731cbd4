"""What stands on a terminal: for programs that draw only the cells that changed, so that a number
never comes as one text."""

from __future__ import annotations

import codecs
import re

_PART = re.compile(
    r"\x1b\[([0-?]*)[ -/]*([@-~])"  # CSI
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC
    r"|\x1b[@-Z\\-_=>78]"
    r"|([\r\n])"
    r"|([^\x00-\x1f\x7f]+)"
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*)?$")


class Screen:
    """The cells of a terminal of this size. It knows moves of the cursor and text, and takes each
    character for one cell."""

    def __init__(self, columns: int, lines: int) -> None:
        self._columns, self._lines = columns, lines
        self._cells = [[" "] * columns for _ in range(lines)]
        self._line = self._column = 0
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""

    def feed(self, drawn: bytes) -> None:
        text = self._rest + self._decode(drawn)
        cut = _UNFINISHED.search(text)
        text, self._rest = (text[: cut.start()], text[cut.start() :]) if cut else (text, "")
        for part in _PART.finditer(text):
            parameters, final, control, written = part.groups()
            if final == "H":
                line, _, column = parameters.partition(";")
                self._line, self._column = int(line or 1) - 1, int(column or 1) - 1
            elif final == "C":
                self._column += int(parameters or 1)
            elif control:
                self._column = 0
                self._line += control == "\n"
            elif written:
                self._write(written)

    def text(self) -> str:
        return "\n".join("".join(line) for line in self._cells)

    def _write(self, text: str) -> None:
        for sign in text:
            if 0 <= self._line < self._lines and 0 <= self._column < self._columns:
                self._cells[self._line][self._column] = sign
            self._column += 1
