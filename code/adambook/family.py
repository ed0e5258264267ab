"""The family tree: who is whose smallest difference, and what changes on the way, read off the code."""

from __future__ import annotations

import html
from collections.abc import Mapping

from adambook.figures import palette
from adambook.numpy_optim import SGD, Optimizer, layer_diff
from adambook.numpy_optim.layers import PROSE_NAMES, RELATIVES

YEARS = {
    "SGD": 1951, "Momentum": 1964, "Nesterov": 1983, "Adagrad": 2011, "RMSprop": 2012, "Adadelta": 2012,
    "Adam": 2014, "Adamax": 2014, "NAdam": 2016, "AdamW": 2017, "AMSGrad": 2018, "Adafactor": 2018,
    "RAdam": 2019, "AdaBound": 2019, "LAMB": 2019, "Adan": 2022, "Lion": 2023, "SophiaG": 2023,
    "SophiaH": 2023, "ScheduleFreeSGD": 2024, "ScheduleFreeAdamW": 2024, "Muon": 2024,
}  # fmt: skip
# The page that each has in the book, where it has one.
PAGES = {
    "SGD": "orientation", "Momentum": "0_moments", "Nesterov": "0_moments", "Adagrad": "1_adagrad",
    "RMSprop": "2_rmsprop", "Adam": "3_adam", "AMSGrad": "4_amsgrad", "AdamW": "5_adamw",
    "Adamax": "family/nadam_adamax", "NAdam": "family/nadam_adamax", "RAdam": "family/radam",
    "Lion": "family/lion", "Muon": "family/muon",
    "Adadelta": "family/adadelta_adafactor", "Adafactor": "family/adadelta_adafactor",
    "AdaBound": "family/adabound", "SophiaG": "family/sophia", "SophiaH": "family/sophia",
    "ScheduleFreeSGD": "family/schedule_free", "ScheduleFreeAdamW": "family/schedule_free",
}  # fmt: skip


class FamilyTree:
    """Every optimizer under its nearest relative: a nested list in HTML, indented text elsewhere.

    ``pages`` maps a name to the address of its page, without the extension; names without one are no links.
    """

    def __init__(self, pages: Mapping[str, str] = PAGES) -> None:
        self.pages = pages
        self.children: dict[type[Optimizer], list[type[Optimizer]]] = {}
        for child, (parent, _) in RELATIVES.items():
            self.children.setdefault(parent, []).append(child)

    def __repr__(self) -> str:
        return "\n".join(self._lines(SGD, 0))

    def _lines(self, optimizer: type[Optimizer], depth: int) -> list[str]:
        name = optimizer.__name__
        told = f": {RELATIVES[optimizer][1]}" if optimizer in RELATIVES else ""
        lines = [f"{'    ' * depth}{PROSE_NAMES.get(name, name)} ({YEARS[name]}){told}"]
        for child in self.children.get(optimizer, []):
            lines += self._lines(child, depth + 1)
        return lines

    def _repr_html_(self) -> str:
        return f'<ul class="ab-tree">{self._item(SGD)}</ul>'

    def _item(self, optimizer: type[Optimizer]) -> str:
        name = optimizer.__name__
        shades, shown = palette()[name], html.escape(PROSE_NAMES.get(name, name))
        style = f'style="--c:light-dark({shades["light"]},{shades["dark"]});color:var(--c)"'
        label = f'<a class="ab-kin" {style} href="{self.pages[name]}.html">{shown}</a>' if name in self.pages else (
            f'<span class="ab-kin" {style}>{shown}</span>'
        )  # fmt: skip
        told = f'<span class="ab-year">{YEARS[name]}</span>'
        if optimizer in RELATIVES:
            parent, change = RELATIVES[optimizer]
            lines = layer_diff(parent, optimizer).changed
            told += f' {html.escape(change)} <span class="ab-year">({lines} line{"s" * (lines != 1)})</span>'
        below = "".join(map(self._item, self.children.get(optimizer, [])))
        return f"<li>{label} {told}{f'<ul>{below}</ul>' if below else ''}</li>"
