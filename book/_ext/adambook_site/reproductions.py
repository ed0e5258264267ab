"""Claims of papers: each set as a small card where it is tested, all of them in one table.

    ```{reproductions}
    ```

reads the outputs that are committed with the notebooks; running a notebook compares them (see `adambook.claims`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adambook.claims import VERDICTS, Claim
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

from .status import table


def parsed(text: str) -> Claim | None:
    try:
        return Claim.parse(text)
    except ValueError:
        return None


def claims(notebook: Path) -> list[Claim]:
    """Return the claims in a notebook's stored outputs, in order."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    texts = ("".join(output.get("data", {}).get("text/plain", "")) for output in outputs)
    return [found for text in texts if (found := parsed(text))]


def anchor(number: int) -> str:
    return f"claim-{number}"


class Reproductions(nodes.General, nodes.Element):
    """Stands for the table until the order of the pages is known."""


class Directive(SphinxDirective):
    """The table of all claims."""

    def run(self) -> list[nodes.Node]:
        for docname in self.env.found_docs:
            if (path := Path(self.env.doc2path(docname))).suffix == ".ipynb":
                self.env.note_dependency(str(path))
        return [Reproductions()]


class Table(SphinxPostTransform):
    """Fills in the table, page after page as the book goes."""

    default_priority = 8  # before Sphinx resolves references

    def run(self, **kwargs: Any) -> None:
        for place in list(self.document.findall(Reproductions)):
            found = list(self.claims())
            counts = Counter(claim.verdict for _, _, claim in found)
            holds, partly, fails = (counts[verdict] for verdict in VERDICTS.values())
            said = f"{len(found)} claims: {holds} hold, {partly} hold partly, {fails} do not hold here."
            made = table(
                ("What the paper says", "What we measured", "Verdict"),
                [self.row(*each) for each in found],
            )
            made["classes"].append("ab-claims")
            place.replace_self([nodes.paragraph(text=said), made])

    def claims(self) -> Iterator[tuple[str, int, Claim]]:
        """Yield page, number on that page, claim."""
        for docname in self.env.collect_relations():
            path = Path(self.env.doc2path(docname))
            if path.suffix == ".ipynb":
                for number, claim in enumerate(claims(path), 1):
                    yield docname, number, claim

    def row(self, docname: str, number: int, claim: Claim) -> list[nodes.Node]:
        verdict = nodes.Text(claim.verdict)
        link = make_refnode(self.app.builder, self.env.docname, docname, anchor(number), verdict)
        return [
            two(sentence(claim.claim), claim.source),
            two(signs(claim.measured), claim.here),
            link,
        ]


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def signs(text: str) -> str:
    """Return the text with the sign that prints well."""
    return text.replace("+-", "±")


def two(main: str, fine: str) -> nodes.inline:
    """Return a text with a smaller one under it."""
    return nodes.inline("", "", nodes.Text(main), nodes.inline(text=fine, classes=["ab-under"]))


class Cards(SphinxPostTransform):
    """Sets each claim among a notebook's outputs as a card that the table can link to."""

    default_priority = 6  # after MyST-NB has chosen one form of each output

    def run(self, **kwargs: Any) -> None:
        outputs = [(block, parsed(block.astext())) for block in self.document.findall(nodes.literal_block)]
        found = [(block, claim) for block, claim in outputs if claim]
        for number, (block, claim) in enumerate(found, 1):
            block.replace_self(
                nodes.container(
                    "",
                    nodes.paragraph("", "", nodes.strong(text=sentence(claim.claim))),
                    nodes.paragraph(text=claim.source, classes=["ab-fine"]),
                    nodes.paragraph(text=signs(claim.measured)),
                    nodes.paragraph(text=claim.here, classes=["ab-fine"]),
                    nodes.paragraph("", "", nodes.strong(text=f"Here: {claim.verdict}.")),
                    ids=[anchor(number)],
                    classes=["ab-claim"],
                )
            )


def setup(app: Sphinx) -> None:
    app.add_node(Reproductions)
    app.add_directive("reproductions", Directive)
    app.add_post_transform(Table)
    app.add_post_transform(Cards)
