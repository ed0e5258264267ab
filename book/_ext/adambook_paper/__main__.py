"""Make a book out of the built site: ``python -m adambook_paper pdf|epub SITE TARGET --node NODE [--browser PATH]``."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import edition, epub, pdf


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("pdf", "epub"))
    parser.add_argument("site", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--node", default="node", help="sets the formulas")
    parser.add_argument("--browser", help="prints the PDF; without it, the one that Playwright has downloaded")
    told = parser.parse_args()
    book = edition.read(told.site)
    edition.set_formulas(book, told.node)
    if told.kind == "pdf":
        print(f"{pdf.make(book, told.site, told.target, told.browser)} pages")
    else:
        print(f"{epub.make(book, told.site, told.target)} files")


if __name__ == "__main__":
    main()
