"""A full stop or comma after a formula stays on the formula's line."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

PUNCTUATION = re.compile(r"[.,;:?!)\]’”]+")


class Punctuation(SphinxPostTransform):
    """Joins inline formulas with the punctuation that follows them."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        for formula in list(self.document.findall(nodes.math)):
            after = formula.next_node(descend=False, siblings=True)
            if not isinstance(after, nodes.Text) or not (mark := PUNCTUATION.match(after)):
                continue
            parent = formula.parent
            parent.replace(after, nodes.Text(after[mark.end() :]))
            tight = nodes.inline("", classes=["ab-tight"])
            parent.replace(formula, tight)
            tight += [formula, nodes.Text(mark.group())]


def setup(app: Sphinx) -> None:
    app.add_post_transform(Punctuation)
