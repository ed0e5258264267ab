"""A still picture beside every explorer, for readers without JavaScript and for paper."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from myst_nb.core.render import WIDGET_VIEW_MIMETYPE
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

logger = logging.getLogger(__name__)
IMAGES = ("image/svg+xml", "image/png")


def alternative(image: nodes.image, bundle: nodes.Element) -> str:
    """Return the picture's text: the cell's own, else what the explorer prints where nothing can be drawn."""
    text = image.get("alt") or " ".join(
        child.astext() for child in bundle.children if child["mime_type"] == "text/plain"
    )
    # A widget without a text of its own prints its class and children.
    return "" if "(children=" in text else " ".join(text.split())


class StaticFigures(SphinxPostTransform):
    """Keeps widget and picture where MyST-NB would choose one of them."""

    default_priority = 3  # just before MyST-NB's SelectMimeType
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        for bundle in list(self.document.findall(nodes.container)):
            if bundle.get("nb_element") != "mime_bundle":
                continue
            children = {child["mime_type"]: child for child in bundle.children}
            view = children.get(WIDGET_VIEW_MIMETYPE)
            if view is None:
                continue
            image = next((children[kind].children[0] for kind in IMAGES if kind in children), None)
            if image is None:
                logger.warning("this widget has no picture for readers without JavaScript", location=bundle)
                continue
            image["alt"] = alternative(image, bundle)
            if not image["alt"]:
                logger.warning("this explorer's picture has no text", location=bundle)
            still = nodes.container("", image, classes=["ab-still"])
            live = [] if self.app.builder.name == "epub" else view.children
            view.children = [nodes.container("", *live, still, classes=["ab-card"])]


def setup(app: Sphinx) -> None:
    app.add_post_transform(StaticFigures)
