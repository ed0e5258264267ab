"""What a paper claimed beside what is measured here, for the table of reproductions."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

VERDICTS: dict[bool | str, str] = {True: "holds", "partly": "holds partly", False: "does not hold here"}
WIDTH = 9  # of the names before each line


@dataclass(frozen=True)
class Claim:
    """One tested claim. Its text has a line for each field, and `parse` reads them back."""

    source: str
    claim: str
    here: str
    measured: str
    verdict: str

    def __repr__(self) -> str:
        return "\n".join(f"{field.name:<{WIDTH}} {getattr(self, field.name)}" for field in fields(self))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the claim whose text this is; ValueError for any other text."""
        lines, names = text.strip("\n").split("\n"), [field.name for field in fields(cls)]
        if [line[:WIDTH].rstrip() for line in lines] != names:
            raise ValueError(f"{text[:60]!r} is not the text of a claim: lines {', '.join(names)}")
        return cls(*(line[WIDTH + 1 :] for line in lines))


def claim(source: str, claim: str, *, here: str, measured: str, holds: bool | Literal["partly"]) -> Claim:
    """Return a claim of a paper with what was measured here.

    ``source`` names the paper and its figure or table, ``claim`` is in our words, ``here`` the setting, ``measured``
    our numbers with their spread. ``holds`` is True, False or "partly", computed from the numbers by the caller.
    Raises ValueError for another verdict, and for a text that is empty or longer than a line.
    """
    if holds not in VERDICTS:
        raise ValueError(f"holds = {holds!r}; allowed: True, False, 'partly'")
    texts = {"source": source, "claim": claim, "here": here, "measured": measured}
    for name, text in texts.items():
        if not text.strip() or "\n" in text:
            raise ValueError(f"{name} = {text!r}; allowed: one line of text")
    return Claim(source, claim, here, measured, VERDICTS[holds])


def pm(scores: npt.ArrayLike, digits: int = 3) -> str:
    """Return the mean and the standard deviation of the scores of several seeds, (n,), as ``0.019 +- 0.012``."""
    values = np.asarray(scores, float)
    return f"{values.mean():.{digits}f} +- {values.std(ddof=1):.{digits}f}"


def lower(first: npt.ArrayLike, second: npt.ArrayLike) -> bool:
    r"""Return whether the first scores are lower than the second by more than twice the error.

    Both are ``(n,)`` and of the same seeds in the same order, so that starts and batches are shared: the error is that
    of the mean difference, :math:`s / \sqrt n` with the standard deviation s of the n differences. A rule this simple
    lets chance pass about once in twenty times, more often with three seeds. Raises ValueError for unequal shapes.
    """
    a, b = np.asarray(first, float), np.asarray(second, float)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2:
        raise ValueError(f"first {a.shape} and second {b.shape}; allowed: two lists of scores of the same seeds")
    difference = b - a
    return bool(difference.mean() > 2 * difference.std(ddof=1) / np.sqrt(len(difference)))
