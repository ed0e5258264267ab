"""What a notebook of this book must hold to: ``python tests/notebooks/policy.py [FILE...]``

Each rule is a function from a notebook to the sentences that say what is wrong with it. Most rules look at
one notebook; two look at all of them. test_policy.py runs them over the book, and tests the rules themselves.
"""

from __future__ import annotations

import ast
import builtins
import operator
import re
import symtable
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import nbformat
from adambook.course import quiz
from nbformat import NotebookNode
from strip import CHECKED, is_checked, text

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
MAX_LINES = 15
MAX_TEST_LINES = 30  # the hidden tests of an assignment, which no student reads
MIN_CHECKED = 3
MAX_DEFINED = 5
PARTS = ("practice", "family", "reference")  # folders of chapters that have no number
QUIZZED = re.compile(r"book/(orientation|fair_comparison|\d_\w+)\.ipynb")  # pages that have a quiz
QUESTIONS = range(4, 7)
IN_PAGE = "page-python"  # the tag of a cell that the built page can run


@dataclass(frozen=True)
class Notebook:
    """A notebook file, read."""

    path: Path

    @cached_property
    def node(self) -> NotebookNode:
        return nbformat.read(self.path, as_version=4)

    @cached_property
    def cells(self) -> list[NotebookNode]:
        return list(self.node.cells)

    @property
    def code(self) -> list[NotebookNode]:
        return [cell for cell in self.cells if cell.cell_type == "code"]

    @property
    def prose(self) -> list[NotebookNode]:
        return [cell for cell in self.cells if cell.cell_type == "markdown"]

    @property
    def is_solution(self) -> bool:
        return self.path.parent.name == "solutions"

    @property
    def is_chapter(self) -> bool:
        numbered = re.match(r"\d_", self.path.name) is not None
        return not (self.is_solution or self.is_assignment) and (numbered or self.path.parent.name in PARTS)

    @property
    def is_assignment(self) -> bool:
        """A master of the course: it asks for numbers in place of reporting them, and is no page of the site."""
        return self.path.parent.name == "assignments"

    @property
    def text(self) -> str:
        return "\n\n".join(cell.source for cell in self.prose) + "\n"

    def where(self, cell: NotebookNode) -> str:
        place = next(i for i, other in enumerate(self.cells, start=1) if other is cell)
        first = cell.source.strip().splitlines()[:1]
        return f"cell {place} ({first[0][:50] if first else 'empty'})"


def book_notebooks() -> list[Notebook]:
    """Every notebook of the book: chapters, front matter, solutions."""
    paths = (p for p in BOOK.rglob("*.ipynb") if not {"_build", ".ipynb_checkpoints"} & set(p.parts))
    return [Notebook(path) for path in sorted(paths)]


# --- one notebook ------------------------------------------------------------------------------------------


def is_stripped(notebook: Notebook) -> Iterator[str]:
    """Nothing that a run left behind, except in checked cells."""
    if notebook.path.read_text(encoding="utf8") != text(notebook.node):
        yield f"not stripped: run `python tests/notebooks/strip.py {notebook.path.name}`"


def tags_come_together(notebook: Notebook) -> Iterator[str]:
    """keep_output and nbval-check-output belong on the same cells, and those cells hold text to compare."""
    for cell in notebook.code:
        tags = CHECKED & set(cell.metadata.get("tags", ()))
        if len(tags) == 1:
            yield f"{notebook.where(cell)}: tagged {min(tags)} alone; the tags are {sorted(CHECKED)}"
        if is_checked(cell):
            if not output_text(cell).strip() or cell.execution_count is None:
                yield f"{notebook.where(cell)}: a checked cell without a stored output compares nothing"
            if any(not _is_text(output) for output in cell.outputs):
                yield f"{notebook.where(cell)}: a checked cell may print text only"


def enough_checked_cells(notebook: Notebook) -> Iterator[str]:
    """A chapter shows at least three numbers that a fresh run must give again; a solution checks itself."""
    checked = sum(map(is_checked, notebook.code))
    if notebook.is_chapter and checked < MIN_CHECKED:
        yield f"{checked} checked cells; a chapter has at least {MIN_CHECKED}"
    if notebook.is_solution and not checked and not any(_asserts(cell) for cell in notebook.code):
        yield "neither a checked cell nor an assertion: nothing here is checked"


def cells_are_short(notebook: Notebook) -> Iterator[str]:
    """A longer cell wants to be a function of the package."""
    for cell in notebook.code:
        lines = len(cell.source.splitlines())
        most = MAX_TEST_LINES if cell.metadata.get("nbgrader", {}).get("grade") else MAX_LINES
        if lines > most:
            yield f"{notebook.where(cell)}: {lines} lines; at most {most}"


def code_parses(notebook: Notebook) -> Iterator[str]:
    """Every code cell is Python, lines for IPython set aside, and none hides its value behind a semicolon."""
    for cell in notebook.code:
        try:
            _tree(cell)
        except SyntaxError as error:
            yield f"{notebook.where(cell)}: {error.msg} in line {error.lineno}"
        if cell.source.rstrip().endswith(";"):
            yield f"{notebook.where(cell)}: ends in a semicolon; end a plot with plt.show()"


#: What Colab and JupyterLab show raw, because only MyST knows it. Searched outside code and formulas.
FOREIGN = {
    "a directive": r"^\s*(?:`{3,}|~{3,}|:{3,})\s*\{|^\s*:{3,}",
    "a role": r"\{[a-z][\w:+-]*\}`",
    "a target": r"^\([\w:. -]+\)=\s*$",
    "a substitution": r"\{\{.+?\}\}",
    "an equation label": r"\$\$\s*\([\w:.-]+\)\s*$",
    "a footnote": r"\[\^[^\]]+\]",
    "an attribute": r"[\])`]\{[#.\w][^}\n]*\}",
    "a comment": r"^%",
    "a block break": r"^\+\+\+",
}


def prose_is_plain_markdown(notebook: Notebook) -> Iterator[str]:
    """Prose reads well in every Jupyter program."""
    for cell in notebook.prose:
        # A directive is a fence, so it is looked for before fences are taken out.
        words = _without_formulas(_without_fences(cell.source))
        plain = re.sub(r"(?<!\})`[^`\n]+`", "``", words)
        for name, pattern in FOREIGN.items():
            haystack = cell.source if name == "a directive" else plain
            if found := re.search(pattern, haystack, flags=re.MULTILINE):
                yield f"{notebook.where(cell)}: {name} that only MyST reads: {found.group().strip()!r}"


def begins_with_a_title(notebook: Notebook) -> Iterator[str]:
    """The first cell opens with the one heading of level 1; no level is left out below it."""
    levels = [
        len(match.group(1))
        for cell in notebook.prose
        for match in re.finditer(r"^(#{1,6}) ", _without_fences(cell.source), flags=re.MULTILINE)
    ]
    if not notebook.cells or not re.match(r"# \S", notebook.cells[0].source):
        yield "the first cell does not open with a heading of level 1"
    if levels.count(1) != 1:
        yield f"{levels.count(1)} headings of level 1; a page has one"
    for above, below in pairwise(levels):
        if below > above + 1:
            yield f"a heading of level {below} follows one of level {above}"


def figures_have_alt_text(notebook: Notebook) -> Iterator[str]:
    """A plot ends in plt.show() and says in its metadata what it shows."""
    for cell in notebook.code:
        if (
            re.search(r"\bplt\.(subplots|figure|plot|imshow)\(", cell.source)
            and "plt.show()" not in cell.source
        ):
            yield f"{notebook.where(cell)}: draws without plt.show()"
        if "plt.show()" in cell.source:
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            if len(str(alt).split()) < 5:
                yield f"{notebook.where(cell)}: no alt text (metadata mystnb.image.alt) of five words or more"


def numbers_are_held(notebook: Notebook) -> Iterator[str]:
    """Each decimal in the prose is a checked output or a literal of the same section, rounded."""
    if notebook.is_solution or notebook.is_assignment:
        return
    sections = _sections(notebook)
    everywhere = [value for section in sections for value in section.known]
    for section in sections:
        known = everywhere if section.is_quiz else section.known  # a quiz asks about the whole page
        for cell, number in section.numbers:
            if str(number) not in _exceptions(cell) and not any(map(number.rounds, known)):
                yield f"{notebook.where(cell)}: {number} is in no checked output or literal of its section"
    excepted = []
    for cell in notebook.prose:
        written = {str(number) for number in decimals(cell.source)}
        for exception, reason in _exceptions(cell).items():
            excepted.append(exception)
            if exception not in written:
                yield f"{notebook.where(cell)}: {exception} is excepted but does not occur"
            if not str(reason).strip():
                yield f"{notebook.where(cell)}: {exception} is excepted without a reason"
    if len(excepted) > MAX_DEFINED:
        yield f"{len(excepted)} numbers excepted ({', '.join(excepted)}); at most {MAX_DEFINED}"


def quiz_is_whole(notebook: Notebook) -> Iterator[str]:
    """A quiz has four to six questions, each with one right answer and a sentence for each choice."""
    try:
        asked = quiz.questions(notebook.text)
    except ValueError as error:
        yield str(error)
        return
    if asked and len(asked) not in QUESTIONS:
        yield f"{quiz.HEADING}: {len(asked)} questions; a quiz has {QUESTIONS[0]} to {QUESTIONS[-1]}"


def plain_python_is_plain(notebook: Notebook) -> Iterator[str]:
    """A numbered chapter has one cell that runs in the page, where there is the standard library alone."""
    cells = [cell for cell in notebook.code if IN_PAGE in cell.metadata.get("tags", ())]
    if notebook.is_chapter and notebook.path.name[0].isdigit() and len(cells) != 1:
        yield f"{len(cells)} cells tagged {IN_PAGE}; a numbered chapter has one"
    for cell in cells:
        if not is_checked(cell):
            yield f"{notebook.where(cell)}: tagged {IN_PAGE}, but not {sorted(CHECKED)}"
        imported = {name.split(".")[0] for name in _imports(cell)}
        for name in sorted(imported - sys.stdlib_module_names):
            yield f"{notebook.where(cell)}: imports {name}, which the page does not have"
        for name in sorted(_unknown(cell)):
            yield f"{notebook.where(cell)}: takes {name} from another cell, which has not run in the page"


# --- all notebooks together --------------------------------------------------------------------------------


def setup_cell_is_the_same(notebooks: Iterable[Notebook]) -> Iterator[str]:
    """One setup cell, everywhere the first code cell."""
    seen: dict[str, Notebook] = {}
    for notebook in notebooks:
        if not notebook.code:
            yield f"{notebook.path.name}: no code cell"
            continue
        seen.setdefault(notebook.code[0].source, notebook)
    if len(seen) > 1:
        names = ", ".join(notebook.path.name for notebook in seen.values())
        yield f"{len(seen)} different setup cells, first seen in {names}"


def solutions_are_linked(notebooks: Iterable[Notebook]) -> Iterator[str]:
    """Every chapter has its solutions, and says where."""
    notebooks = list(notebooks)
    chapters = {notebook.path.name: notebook for notebook in notebooks if notebook.is_chapter}
    solutions = {notebook.path.name for notebook in notebooks if notebook.is_solution}
    for name, chapter in chapters.items():
        prose = "\n".join(cell.source for cell in chapter.prose)
        if name not in solutions:
            yield f"{name}: solutions/{name} is missing"
        elif not re.search(rf"\]\((?:\./|\.\./)?solutions/{re.escape(name)}(?:#[^)]*)?\)", prose):
            yield f"{name}: no link to solutions/{name}"
    for name in sorted(solutions - set(chapters)):
        yield f"solutions/{name} belongs to no chapter"


def quizzes_are_there(notebooks: Iterable[Notebook]) -> Iterator[str]:
    """The pages of the course have a quiz."""
    for notebook in notebooks:
        due = QUIZZED.fullmatch("/".join(notebook.path.parts[-2:]))
        if due and not quiz.SECTION.search(notebook.text):
            yield f"{notebook.path.name}: no section {quiz.HEADING!r}"


RULES = (
    is_stripped,
    tags_come_together,
    enough_checked_cells,
    cells_are_short,
    code_parses,
    prose_is_plain_markdown,
    begins_with_a_title,
    figures_have_alt_text,
    numbers_are_held,
    quiz_is_whole,
    plain_python_is_plain,
)
BOOK_RULES = (setup_cell_is_the_same, solutions_are_linked, quizzes_are_there)


# --- numbers -----------------------------------------------------------------------------------------------

_INTEGER = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
_POWER = r"""
    (?: e(?P<e>[-+]?\d+)                                                # 2.7e-5
      | \s*(?:×|·|\\times|\\cdot)\s*10                                  # 2.7 \cdot 10^{-5}, 2.7 × 10⁻⁵
        (?: \^\{?(?P<tex>[-−]?\d+)\}? | (?P<sup>[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+) )
    )?
"""
_DECIMAL = re.compile(
    rf"(?<![\w.])(?P<mantissa>{_INTEGER}\.\d+)(?!\d*\.?\d){_POWER}(?P<percent>\s*(?:\\?%|per\s?cent))?",
    re.VERBOSE | re.IGNORECASE,
)
_SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")
_OUTPUT_NUMBER = re.compile(rf"(?<![\w.]){_INTEGER}(?:\.\d*)?(?:e[-+]?\d+)?", re.IGNORECASE)
#: A number after one of these names a place or a version, no quantity.
_NAMES = re.compile(
    r"(?:\b(?:sections?|sec\.|chapters?|figures?|fig\.|tables?|equations?|eqs?\.|appendix|lemma"
    r"|theorem|corollary|proposition|algorithm|exercises?|python|version|CC BY)[\s~]*\(?"
    r"|§\s*|arXiv:\s*|\\tag\{)$",
    flags=re.IGNORECASE,
)


@dataclass(frozen=True)
class Decimal:
    """A decimal number of the prose: as written, what it is worth, how far rounding may have moved it."""

    written: str
    value: float
    slack: float
    percent: bool = False

    def rounds(self, exact: float) -> bool:
        """True where ``exact``, rounded to the digits that are written, gives this number (signs aside)."""
        candidates = (abs(exact), 100 * abs(exact)) if self.percent else (abs(exact),)
        return any(abs(value - self.value) <= self.slack * (1 + 1e-9) for value in candidates)

    def __str__(self) -> str:
        return self.written


def decimals(source: str) -> list[Decimal]:
    """The decimal numbers of a Markdown text: in words, formulas and inline code, not in fences or links."""
    words = re.sub(r"<!--.*?-->", " ", _without_fences(source), flags=re.DOTALL)
    words = re.sub(r"\]\([^)\s]*\)|https?://\S+|<[^>\n]+>", " ", words)
    found = []
    for match in _DECIMAL.finditer(words):
        if _NAMES.search(words[: match.start()]):
            continue
        mantissa = match["mantissa"].replace(",", "")
        scale = 10.0 ** int((match["e"] or match["tex"] or match["sup"] or "0").translate(_SUPERSCRIPTS))
        slack = 0.5 * 10.0 ** -len(mantissa.split(".")[1])
        found.append(
            Decimal(match["mantissa"], float(mantissa) * scale, slack * scale, bool(match["percent"]))
        )
    return found


def output_text(cell: NotebookNode) -> str:
    """What a cell's stored outputs say in plain text."""
    parts = []
    for output in cell.outputs:
        text_plain = output.get("text", "") or output.get("data", {}).get("text/plain", "")
        parts.append("".join(text_plain))
    return "\n".join(parts)


def _is_text(output: NotebookNode) -> bool:
    if output.output_type == "stream":
        return bool(output.name == "stdout")
    return output.output_type in ("execute_result", "display_data") and set(output.data) == {"text/plain"}


_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def _cell_values(cell: NotebookNode) -> Iterator[float]:
    """The numbers that a code cell vouches for: its literals, and its stored output where that is checked."""
    if is_checked(cell):
        for match in _OUTPUT_NUMBER.finditer(output_text(cell)):
            yield float(match.group().replace(",", ""))
    try:
        tree = _tree(cell)
    except SyntaxError:  # code_parses reports it
        return
    for node in ast.walk(tree):
        value = _constant(node)
        if value is not None:
            yield value


def _constant(node: ast.AST) -> float | None:
    """The value of a literal, or of one operation on two literals such as 1 - 0.9."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return None if isinstance(node.value, bool) else float(node.value)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _constant(node.left), _constant(node.right)
        if left is not None and right is not None and not (right == 0 and isinstance(node.op, ast.Div)):
            return float(_OPERATORS[type(node.op)](left, right))
    return None


# --- reading -----------------------------------------------------------------------------------------------


def _tree(cell: NotebookNode) -> ast.Module:
    source = re.sub(r"^(\s*)[%!].*$", r"\1pass", cell.source, flags=re.MULTILINE)
    return ast.parse(source)


def _imports(cell: NotebookNode) -> Iterator[str]:
    """The modules that a cell imports."""
    for node in ast.walk(_tree(cell)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def _unknown(cell: NotebookNode) -> set[str]:
    """The names that a cell uses and nowhere sets."""
    table = symtable.symtable(cell.source, "cell", "exec")
    scopes = [table]
    for scope in scopes:
        scopes.extend(scope.get_children())
    used = {s.get_name() for scope in scopes for s in scope.get_symbols() if s.is_referenced() and s.is_global()}
    used |= {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    made = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    return used - made - set(dir(builtins))


def _asserts(cell: NotebookNode) -> bool:
    return re.search(r"^\s*assert\b|assert_\w+\(", cell.source, flags=re.MULTILINE) is not None


def _first_line(cell: NotebookNode) -> str:
    return repr(next(iter(cell.source.strip().splitlines()), "")[:50])


def _without_fences(source: str) -> str:
    return re.sub(r"^\s*(`{3,}|~{3,}).*?^\s*\1`*\s*$", "", source, flags=re.DOTALL | re.MULTILINE)


def _without_formulas(source: str) -> str:
    source = re.sub(r"\$\$.*?\$\$", "$$ $$", source, flags=re.DOTALL)
    return re.sub(r"(?<![\\$])\$(?!\$)[^$\n]*(?:\n[^$\n]+)?\$", "$ $", source)


@dataclass
class Section:
    """What stands between two headings of level 2: numbers that prose claims, and those that code knows."""

    numbers: list[tuple[NotebookNode, Decimal]] = field(default_factory=list)
    known: list[float] = field(default_factory=list)
    is_quiz: bool = False


def _sections(notebook: Notebook) -> list[Section]:
    sections = [Section()]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            sections[-1].known.extend(_cell_values(cell))
        elif cell.cell_type == "markdown":
            for piece in _split_at_level_2(cell.source):
                if piece.startswith("## "):
                    sections.append(Section(is_quiz=piece.startswith(f"## {quiz.HEADING}\n")))
                sections[-1].numbers.extend((cell, number) for number in decimals(piece))
    return sections


def _exceptions(cell: NotebookNode) -> dict[str, str]:
    """The numbers that this cell defines rather than reports, each with the reason."""
    return dict(cell.metadata.get("adambook", {}).get("defines", {}))


def _split_at_level_2(source: str) -> list[str]:
    pieces: list[str] = []
    fenced = False
    for line in source.splitlines(keepends=True):
        if re.match(r"\s*(`{3,}|~{3,})", line):
            fenced = not fenced
        if not pieces or (line.startswith("## ") and not fenced):
            pieces.append("")
        pieces[-1] += line
    return pieces or [""]


def main(arguments: list[str]) -> int:
    """Print what is wrong with the given notebooks, or with the whole book."""
    notebooks = [Notebook(Path(name)) for name in arguments] or book_notebooks()
    problems = [
        f"{notebook.path.name}: {problem}"
        for notebook in notebooks
        for rule in RULES
        for problem in rule(notebook)
    ]
    problems += [problem for rule in BOOK_RULES if not arguments for problem in rule(notebooks)]
    print("\n".join(problems) or f"{len(notebooks)} notebooks hold to every rule")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
