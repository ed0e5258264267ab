"""The difference between two layers, read off their source."""

from __future__ import annotations

import difflib
import html
import inspect
import textwrap
from dataclasses import dataclass

from adambook.numpy_optim.base import Optimizer

# The field's spelling, where a class carries torch's.
PROSE_NAMES = {"Adagrad": "AdaGrad", "RMSprop": "RMSProp"}


def rule(optimizer: type[Optimizer]) -> list[str]:
    """Return the lines of ``optimizer``'s rule: the body of `update` without the `return` that hands it
    back."""
    lines = textwrap.dedent(inspect.getsource(optimizer.update)).splitlines()
    first = next(i for i, line in enumerate(lines) if line.rstrip().endswith(":")) + 1
    body = textwrap.dedent("\n".join(lines[first:])).splitlines()
    return [line for line in body if line and not line.startswith("return")]


@dataclass(frozen=True)
class LayerDiff:
    """Two rules line by line: coloured in HTML, plain text elsewhere.

    ``rows`` holds (mark, line) pairs; the mark is "-" for what goes, "+" for what comes, " " for what stays.
    """

    title: str
    rows: tuple[tuple[str, str], ...]

    @property
    def changed(self) -> int:
        """How many lines of the upper rule are new or changed."""
        return sum(mark == "+" for mark, _ in self.rows)

    def __str__(self) -> str:
        return "\n".join([self.title, *(f"{mark} {line}" for mark, line in self.rows)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        kind = {"-": "ab-diff-del", "+": "ab-diff-add", " ": "ab-diff-same"}
        # The inline styles serve Colab and JupyterLab, which do not know the book's style sheet.
        tint = {"-": "background:rgba(213,94,0,.14)", "+": "background:rgba(0,158,115,.16)", " ": ""}
        rows = "".join(
            f'<span class="{kind[mark]}" style="display:block;{tint[mark]}">{mark} {html.escape(line)}</span>'
            for mark, line in self.rows
        )
        return (
            f'<figure class="ab-diff" style="margin:0"><figcaption>{html.escape(self.title)}</figcaption>'
            f'<pre style="line-height:1.5;overflow-x:auto"><code>{rows}</code></pre></figure>'
        )


def layer_diff(lower: type[Optimizer], upper: type[Optimizer]) -> LayerDiff:
    """Return how the rule of ``upper`` differs from that of ``lower``, generated from their source with
    difflib."""
    before, after = rule(lower), rule(upper)
    rows: list[tuple[str, str]] = []
    for kind, i0, i1, j0, j1 in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            rows += [(" ", line) for line in before[i0:i1]]
        else:
            rows += [("-", line) for line in before[i0:i1]] + [("+", line) for line in after[j0:j1]]
    names = [PROSE_NAMES.get(cls.__name__, cls.__name__) for cls in (lower, upper)]
    return LayerDiff(" to ".join(names), tuple(rows))
