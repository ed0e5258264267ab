r"""Evaluates the book's displayed updates, so that a test can hold them to the code.

The LaTeX of the page is the only source. A formula is read as a physicist reads it: letters with accents and
indices are names, what stands side by side is multiplied. The index t is dropped, t-1 is written ``_before``:
``\hat v_t`` is the name ``v_hat``, ``v^{\max}_{t-1}`` is ``v_max_before``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from adambook.numpy_optim import newton_schulz

Values = dict[str, Any]

_IGNORED = (
    r"\\[,;:!]|\\q?quad|~|\\big[lr]?|\\Big[lr]?|\\bigg[lr]?|\\left|\\right|\s+|&|\\displaystyle|\\nonumber"
)
_TOKEN = re.compile(
    rf"(?P<ignored>{_IGNORED})|(?P<number>\d+(?:\.\d+)?)|(?P<word>\\[A-Za-z]+|[A-Za-z])|(?P<sign>[-+*/^_(){{}}|,=\[\]'])"
)
_ACCENTS = {r"\hat": "hat", r"\bar": "bar", r"\tilde": "tilde"}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    r"\max": np.maximum,
    r"\min": np.minimum,
    "sign": np.sign,
    "clip": np.clip,
    "NS": newton_schulz,
    "mean": np.mean,
    "rows": lambda x: np.mean(x, axis=1, keepdims=True),
    "columns": lambda x: np.mean(x, axis=0, keepdims=True),
    "rms": lambda x: np.sqrt(np.mean(np.square(x))),
}
_INDICES = {"t": "", "t-1": "_before", "t+1": "_after"}


def equations(markdown: str) -> Iterator[tuple[str, str]]:
    """Yield the tag and the LaTeX of every numbered equation of a Markdown text."""
    for match in re.finditer(r"\$\$(.+?)\$\$", markdown, flags=re.DOTALL):
        if tag := re.search(r"\\tag\{([^}]+)\}", match.group(1)):
            yield tag.group(1), match.group(1).replace(tag.group(), "")


def assign(latex: str, values: Values) -> list[str]:
    """Carry out every ``name = formula`` of ``latex`` in turn, into ``values``; return the names.

    Several stand apart by ``\\qquad``, a new row, or a comma before one of these. Raises ValueError for what is
    no assignment or cannot be read.
    """
    latex = re.sub(r"\\(begin|end)\{aligned\}", "", latex)
    names = []
    for piece in re.split(r",?\s*(?:\\qquad|\\cr|\\\\)", latex.strip().rstrip(".,")):
        left, equal, right = piece.partition("=")
        if not equal:
            raise ValueError(f"{piece.strip()!r} is no equation")
        name = _Reader(left, {}).name()
        values[name] = _Reader(right, values).whole()
        names.append(name)
    return names


class _Reader:
    """Reads one formula from left to right."""

    def __init__(self, latex: str, values: Values) -> None:
        self.values = values
        self.tokens: list[str] = []
        at = 0
        while at < len(latex):
            match = _TOKEN.match(latex, at)
            if match is None:
                raise ValueError(f"cannot read {latex[at : at + 20]!r} in {latex!r}")
            at = match.end()
            if match.lastgroup != "ignored":
                self.tokens.append(match.group())
        self.tokens.append("")  # the end

    def whole(self) -> Any:
        value = self.sum()
        if self.tokens != [""]:
            raise ValueError(f"cannot read on at {' '.join(self.tokens)!r}")
        return value

    def take(self, *expected: str) -> str:
        if expected and self.tokens[0] not in expected:
            raise ValueError(f"{' '.join(self.tokens)!r} does not begin with {' or '.join(expected)}")
        return self.tokens.pop(0)

    def sum(self) -> Any:
        sign = self.take() if self.tokens[0] in "+-" and self.tokens[0] else "+"
        value = -self.product() if sign == "-" else self.product()
        while self.tokens[0] in ("+", "-"):
            value = value + self.product() if self.take() == "+" else value - self.product()
        return value

    def product(self) -> Any:
        value = self.power()
        while self.tokens[0] not in ("", "+", "-", ")", "}", "]", "|", ",", "="):
            if self.tokens[0] in ("/", r"\over"):
                self.take()
                value = value / self.power()
            else:
                if self.tokens[0] in ("*", r"\cdot", r"\odot", r"\times"):
                    self.take()
                value = value * self.power()
        return value

    def power(self) -> Any:
        value = self.atom()
        if self.tokens[0] == "^":
            self.take()
            value = value ** self.argument()
        return value

    def argument(self) -> Any:
        """Read a group in braces, or the one thing that stands without them."""
        if self.tokens[0] != "{":
            return self.atom()
        self.take()
        value = self.sum()
        self.take("}")
        return value

    def atom(self) -> Any:
        token = self.tokens[0]
        if re.match(r"\d", token):
            return float(self.take())
        if token == r"\frac":
            self.take()
            return self.argument() / self.argument()
        if token == r"\sqrt":
            self.take()
            return np.sqrt(self.argument())
        if token in ("(", "[", "{"):
            self.take()
            value = self.sum()
            self.take({"(": ")", "[": "]", "{": "}"}[token])
            return value
        if token == "|":
            self.take()
            value = np.abs(self.sum())
            self.take("|")
            return value
        name = self.name()
        if name in _FUNCTIONS:
            self.take("(")
            arguments = [self.sum()]
            while self.tokens[0] == ",":
                self.take()
                arguments.append(self.sum())
            self.take(")")
            return _FUNCTIONS[name](*arguments)
        if name not in self.values:
            raise ValueError(f"nothing is known of {name!r}; known: {sorted(self.values)}")
        return self.values[name]

    def name(self) -> str:
        """Read a letter with its accent and indices; a power is left where it stands."""
        token = self.take()
        accent = ""
        if token in _ACCENTS:
            accent, braces = "_" + _ACCENTS[token], self.tokens[0] == "{"
            self.take() if braces else None
            token = self.take()
            self.take("}") if braces else None
        if token in (r"\mathrm", r"\operatorname", r"\text"):
            self.take("{")
            word = ""
            while self.tokens[0] != "}":
                word += self.take()
            self.take("}")
            return word
        if token in _FUNCTIONS:
            return token
        if not re.fullmatch(r"\\?[A-Za-z]+", token):
            raise ValueError(f"a name does not begin with {token!r}")
        base, index = token.lstrip("\\"), ""
        while True:
            if self.tokens[0] == "'":
                base += self.take()
            elif self.tokens[:4] == ["^", "{", r"\max", "}"]:
                del self.tokens[:4]
                base += "_max"
            elif self.tokens[0] == "_":
                self.take()
                index = self.index()
            else:
                break
        return base + accent + index

    def index(self) -> str:
        if self.tokens[0] != "{":
            text = self.take()
        else:
            self.take()
            text = ""
            while self.tokens[0] != "}":
                text += self.take()
            self.take("}")
        number, comma, time = text.partition(",")
        if not comma and text in _INDICES:
            return _INDICES[text]
        return number + _INDICES.get(time, time)
