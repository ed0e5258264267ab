"""The difference between two layers, read off their source."""

from __future__ import annotations

import difflib
import html
import inspect
import textwrap
from dataclasses import dataclass

from adambook.numpy_optim.adabound import AdaBound
from adambook.numpy_optim.adadelta import Adadelta
from adambook.numpy_optim.adafactor import Adafactor
from adambook.numpy_optim.adagrad import Adagrad
from adambook.numpy_optim.adam import Adam
from adambook.numpy_optim.adamax import Adamax
from adambook.numpy_optim.adamw import AdamW
from adambook.numpy_optim.adan import Adan
from adambook.numpy_optim.amsgrad import AMSGrad
from adambook.numpy_optim.base import Optimizer
from adambook.numpy_optim.lamb import LAMB
from adambook.numpy_optim.lion import Lion
from adambook.numpy_optim.muon import Muon
from adambook.numpy_optim.nadam import NAdam
from adambook.numpy_optim.radam import RAdam
from adambook.numpy_optim.rmsprop import RMSprop
from adambook.numpy_optim.schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD
from adambook.numpy_optim.sgd import SGD, Momentum, Nesterov
from adambook.numpy_optim.sophia import SophiaG, SophiaH

# The field's spelling, where a class carries torch's.
PROSE_NAMES = {
    "Adadelta": "AdaDelta",
    "Adagrad": "AdaGrad",
    "Adamax": "AdaMax",
    "RMSprop": "RMSProp",
    "ScheduleFreeAdamW": "Schedule-Free AdamW",
    "ScheduleFreeSGD": "Schedule-Free SGD",
    "SophiaG": "Sophia-G",
    "SophiaH": "Sophia-H",
}

# The family tree: every optimizer but the first with its nearest relative, and what changes between the two.
RELATIVES: dict[type[Optimizer], tuple[type[Optimizer], str]] = {
    Momentum: (SGD, "a buffer remembers past gradients"),
    Nesterov: (Momentum, "the step looks one step ahead"),
    Adagrad: (SGD, "divides by the root of the sum of squares"),
    RMSprop: (Adagrad, "the sum becomes a moving average"),
    Adadelta: (RMSprop, "past steps set the step size"),
    Adam: (RMSprop, "an average of gradients above, both bias-corrected"),
    Adamax: (Adam, "a decaying maximum below"),
    NAdam: (Adam, "the average looks one step ahead"),
    RAdam: (Adam, "no division while v is uncertain"),
    AMSGrad: (Adam, "v never shrinks"),
    AdaBound: (Adam, "step sizes between two closing bounds"),
    AdamW: (Adam, "decay leaves the gradient"),
    Adafactor: (RMSprop, "v is a column times a row; steps in units of theta"),
    LAMB: (AdamW, "steps as long as the parameters"),
    Adan: (AdamW, "an average of gradient differences"),
    Lion: (AdamW, "only the sign; no v"),
    SophiaG: (AdamW, "curvature below, clipped; no hats"),
    SophiaH: (SophiaG, "negative curvature counts as none"),
    Muon: (Nesterov, "singular values become one"),
    ScheduleFreeSGD: (SGD, "gradients at an average of points"),
    ScheduleFreeAdamW: (AdamW, "points are averaged, not gradients"),
}


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
