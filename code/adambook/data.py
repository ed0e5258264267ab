"""Small real data that needs no download: handwritten digits, and the English in CPython's help texts.

Also larger data that are downloaded when asked for, a reader's own text, and what the benchmarks recorded.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import tarfile
import urllib.request
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from adambook._check import Array, choice, real, whole

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SparseRows:
    """A matrix of which only the non-zero entries are kept, row after row (the CSR layout).

    Row i has ``values[start[i]:start[i + 1]]`` in the columns ``columns[start[i]:start[i + 1]]``, in rising
    order. ``start`` is int64 of shape (rows + 1,); ``columns`` int64 and ``values`` float64 hold one entry
    per non-zero.
    """

    start: Ints
    columns: Ints
    values: Array
    width: int

    def __len__(self) -> int:
        return len(self.start) - 1

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the full matrix."""
        return len(self), self.width

    def row(self, i: int) -> tuple[Ints, Array]:
        """Return the columns and the values of the non-zero entries of row ``i``."""
        entries = slice(self.start[i], self.start[i + 1])
        return self.columns[entries], self.values[entries]

    def dense(self, rows: slice = slice(None), dtype: npt.DTypeLike = np.float64) -> Array:
        """Return the chosen rows as an ordinary array of shape (rows, width)."""
        chosen = range(len(self))[rows]
        full = np.zeros((len(chosen), self.width), dtype)
        for k, i in enumerate(chosen):
            columns, values = self.row(i)
            full[k, columns] = values
        return full


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled rows, split once into a training and a test part.

    ``x_train`` (n, p) and ``x_test`` (n', p) are floating arrays or `SparseRows`; ``y_train`` (n,) and
    ``y_test`` (n',) are int64 class numbers that index ``classes``; ``features`` names the p columns.
    """

    name: str
    x_train: Array | SparseRows
    y_train: Ints
    x_test: Array | SparseRows
    y_test: Ints
    classes: tuple[str, ...]
    features: tuple[str, ...]

    def first(self, rows: int) -> Dataset:
        """Return the same data with only the first ``rows`` rows to train on."""
        rows = whole("rows", rows, 1, len(self.y_train))
        if isinstance(self.x_train, SparseRows):
            raise TypeError("first() needs dense rows")
        return replace(self, x_train=self.x_train[:rows], y_train=self.y_train[:rows])

    def with_label_noise(self, fraction: float, seed: int = 0) -> Dataset:
        """Return the same data with that share of the training labels replaced by another class each."""
        count = round(real("fraction", fraction, 0, 1) * len(self.y_train))
        rng = np.random.default_rng(whole("seed", seed))
        rows = rng.permutation(len(self.y_train))[:count]
        labels = self.y_train.copy()
        labels[rows] = (labels[rows] + rng.integers(1, len(self.classes), count)) % len(self.classes)
        return replace(self, y_train=labels, name=f"{self.name} with {count} wrong labels")

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name}: {len(self.y_train)} rows to train on, {len(self.y_test)} to test on, "
            f"{len(self.features)} features, {len(self.classes)} classes)"
        )


class Paragraphs(NamedTuple):
    """Paragraphs of English, their topics as int64 numbers (n,), and the topics' names."""

    text: tuple[str, ...]
    topic: Ints
    topics: tuple[str, ...]


class Tokens(NamedTuple):
    """A text as int64 numbers (n,) that index ``names``."""

    ids: Ints
    names: tuple[str, ...]


def digits(*, test_fraction: float = 0.25, seed: int = 0) -> Dataset:
    """Return scikit-learn's 1,797 handwritten digits: 8 x 8 pixels scaled to [0, 1], ten classes.

    The rows are shuffled by ``seed`` and the last ``test_fraction`` of them is the test part. ``x`` is
    float64 of shape (n, 64). Raises ImportError, with the command to type, if scikit-learn is missing.
    Source: Alpaydin and Kaynak (1998), optical recognition of handwritten digits.
    """
    test_fraction = real("test_fraction", test_fraction, 0, 1, open_high=True)
    try:
        from sklearn.datasets import load_digits  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise ImportError("digits() needs scikit-learn; install it with: pip install scikit-learn") from error
    pixels, labels = load_digits(return_X_y=True)
    train, test = _split(len(labels), test_fraction, seed)
    x, y = pixels / 16.0, labels.astype(np.int64)
    names = tuple(f"pixel {row},{column}" for row in range(8) for column in range(8))
    return Dataset("digits", x[train], y[train], x[test], y[test], tuple("0123456789"), names)


@cache
def paragraphs(*, min_words: int = 5, min_paragraphs: int = 20) -> Paragraphs:
    """Return the paragraphs of CPython's help texts (``pydoc_data.topics``), each labelled by its topic.

    Paragraphs shorter than ``min_words`` words are left out, and so are repetitions: what several topics
    share counts for the first of them, so that no paragraph is both trained on and tested. Topics with fewer
    than ``min_paragraphs`` paragraphs are left out. The text is written for each version of Python: numbers
    computed from it change a little from version to version.
    """
    min_words = whole("min_words", min_words, 1)
    min_paragraphs = whole("min_paragraphs", min_paragraphs, 1)
    seen: set[tuple[str, ...]] = set()
    kept: dict[str, list[str]] = {}
    for name, body in sorted(_topics().items()):
        kept[name] = []
        for paragraph in re.split(r"\n\s*\n", body):
            words = tuple(_words(paragraph))
            if len(words) >= min_words and words not in seen:
                seen.add(words)
                kept[name].append(" ".join(paragraph.split()))
    topics = tuple(name for name, found in kept.items() if len(found) >= min_paragraphs)
    if len(topics) < 2:
        raise ValueError(
            f"min_words = {min_words} and min_paragraphs = {min_paragraphs} leave {len(topics)} topics"
        )
    text = tuple(paragraph for name in topics for paragraph in kept[name])
    topic = np.repeat(np.arange(len(topics)), [len(kept[name]) for name in topics])
    return Paragraphs(text, topic, topics)


def bag_of_words(
    *, values: str = "unit", min_rows: int = 3, test_fraction: float = 0.2, seed: int = 0
) -> Dataset:
    """Return `paragraphs` as sparse rows of words, to be classified by topic.

    ``values`` says what stands in a row for a word that it holds: ``"presence"`` is 1, ``"count"`` how often
    it occurs, ``"unit"`` the count divided by the row's length, so that every row has norm 1. The vocabulary
    is every word that at least ``min_rows`` training paragraphs hold. ``x`` is `SparseRows` of shape (n,
    vocabulary). Train and test are split by paragraph, shuffled by ``seed``; the text depends on the version
    of Python.
    """
    values = choice("values", values, ("presence", "count", "unit"))
    min_rows = whole("min_rows", min_rows, 1)
    test_fraction = real("test_fraction", test_fraction, 0, 1, open_high=True)
    source = paragraphs()
    counts = [Counter(_words(text)) for text in source.text]
    train, test = _split(len(counts), test_fraction, seed)
    rows_with = Counter(word for i in train for word in counts[i])
    vocabulary = sorted(word for word, rows in rows_with.items() if rows >= min_rows)
    if not vocabulary:
        raise ValueError(f"min_rows = {min_rows} leaves no word; lower it")
    column = {word: j for j, word in enumerate(vocabulary)}
    return Dataset(
        "bag of words",
        _sparse([counts[i] for i in train], column, values),
        source.topic[train],
        _sparse([counts[i] for i in test], column, values),
        source.topic[test],
        source.topics,
        tuple(vocabulary),
    )


def words(vocabulary: int = 500) -> Tokens:
    """Return the text of `paragraphs` as one stream of words in lower case.

    The ``vocabulary`` most frequent words keep their names, numbered from the most frequent (0) down; every
    other word is dropped. Ties are broken by the alphabet.
    """
    stream = [word for text in paragraphs().text for word in _words(text)]
    return _ranked(stream, whole("vocabulary", vocabulary, 2))


def characters() -> Tokens:
    """Return the text of `paragraphs` as one stream of characters, without those outside printable ASCII."""
    stream = [c for c in "\n".join(paragraphs().text) if c == "\n" or " " <= c <= "~"]
    names = tuple(sorted(set(stream)))
    number = {c: i for i, c in enumerate(names)}
    return Tokens(np.array([number[c] for c in stream]), names)


def text_file(path: str | Path, vocabulary: int | None = None) -> Tokens:
    """Return a text of your own (UTF-8) as one stream of characters, or of words if ``vocabulary`` is given.

    With ``vocabulary``, words are runs of letters in lower case; the most frequent ones are kept and numbered as
    in `words`. Raises FileNotFoundError, and ValueError for a file that is no text or has fewer than two names.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"path = {str(path)!r} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    if vocabulary is None:
        names = tuple(sorted(set(text)))
        number = {c: i for i, c in enumerate(names)}
        tokens = Tokens(np.array([number[c] for c in text], dtype=np.int64), names)
    else:
        tokens = _ranked(re.findall(r"[^\W\d_]+", text.lower()), whole("vocabulary", vocabulary, 2))
    if len(tokens.names) < 2:
        raise ValueError(f"path = {str(path)!r} holds {len(tokens.names)} different tokens; a text needs two or more")
    return tokens


def mnist(*, download: bool = False, folder: str | Path | None = None) -> Dataset:
    """Return the MNIST digits: 60,000 rows to train on, 10,000 to test on, 28 x 28 pixels scaled to [0, 1].

    ``x`` is float32 of shape (n, 784). The file (11 MB) is kept in ``folder``, by default adambook's in your cache
    directory, and fetched only with ``download=True``; its SHA-256 is checked each time. Raises FileNotFoundError
    that says what to do if it is not there, ConnectionError if the host cannot be reached, ValueError for another
    file of that name. Source: LeCun et al. (1998), as packed for Keras.
    """
    path = _fetched(MNIST, download, folder)
    with np.load(path, allow_pickle=False) as found:
        parts = [found[name] for name in ("x_train", "y_train", "x_test", "y_test")]
    names = [f"pixel {row},{column}" for row in range(28) for column in range(28)]
    return _images("MNIST", parts, tuple("0123456789"), names)


def cifar10(*, download: bool = False, folder: str | Path | None = None) -> Dataset:
    """Return the CIFAR-10 photographs: 50,000 rows to train on, 10,000 to test on, 3 x 32 x 32 values in [0, 1].

    ``x`` is float32 of shape (n, 3072), red before green before blue, so that ``x.reshape(-1, 3, 32, 32)`` gives
    images; it takes 740 MB. The file has 170 MB; all else is as in `mnist`. Source: Krizhevsky (2009).
    """
    with tarfile.open(_fetched(CIFAR10, download, folder)) as archive:

        def read(name: str) -> bytes:
            member = archive.extractfile(f"cifar-10-batches-bin/{name}")
            assert member is not None
            return member.read()

        classes = tuple(read("batches.meta.txt").decode().split())
        batches = [f"data_batch_{i}.bin" for i in range(1, 6)], ["test_batch.bin"]
        parts = []
        for files in batches:
            rows = np.frombuffer(b"".join(map(read, files)), np.uint8).reshape(-1, 1 + 3 * 32 * 32)
            parts += [rows[:, 1:], rows[:, 0]]
    names = [f"{c} {i},{j}" for c in ("red", "green", "blue") for i in range(32) for j in range(32)]
    return _images("CIFAR-10", parts, classes, names)


def moving_digits(
    seeds: npt.ArrayLike, times: npt.ArrayLike, *, size: int = 20, part: str = "train"
) -> npt.NDArray[np.float32]:
    """Return films of two handwritten digits that bounce about in a square frame, (films, times, size, size).

    A film is a function of its seed alone: which two of the `digits` it shows, where they begin, and along which
    diagonals they move, one pixel a time. Any frames of it can be asked for, in any order. Where digits overlap the
    brighter pixel is seen. ``part`` says whether the digits come from those to train on or those to test on.
    Pixels are float32 in [0, 1]. After Srivastava, Mansimov and Salakhutdinov (2015).
    """
    room = whole("size", size, 9) - 8
    found = digits()
    x = np.asarray(found.x_train if choice("part", part, ("train", "test")) == "train" else found.x_test)
    shown, start, speed = [], [], []
    for seed in np.atleast_1d(seeds):
        rng = np.random.default_rng(whole("seeds", seed))
        shown.append(x[rng.integers(len(x), size=2)].reshape(2, 8, 8))
        start.append(rng.integers(room + 1, size=(2, 2)))
        speed.append(rng.choice([-1, 1], size=(2, 2)))
    moved = np.array(start)[:, None] + np.array(speed)[:, None] * np.atleast_1d(times)[:, None, None]
    corner = room - np.abs(moved % (2 * room) - room)  # (films, times, digit, axis)
    # A matrix with a one where row i of the frame shows row j of the digit; another does the same for columns.
    place = np.arange(size)[:, None] - corner[..., None, None] == np.arange(8)
    rows, columns = place[..., 0, :, :].astype(np.float32), place[..., 1, :, :].astype(np.float32)
    each = rows @ np.array(shown, dtype=np.float32)[:, None] @ columns.swapaxes(-1, -2)
    return np.asarray(each.max(axis=2))


def recorded(name: str) -> dict[str, Any]:
    """Return what a benchmark recorded, with its command, date and machine.

    ``name`` is that of a file in benchmarks/recorded, such as "optimizer_step" or "sweeps/vae". Raises ValueError
    that lists the names for any other.
    """
    package = Path(__file__).parent
    # A wheel carries the records inside the package.
    folders = (package / "recorded", package.parents[1] / "benchmarks" / "recorded")
    known = {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for folder in folders
        for path in sorted(folder.rglob("*.json"))
    }
    found: dict[str, Any] = json.loads(known[choice("name", name, tuple(known))].read_text(encoding="utf-8"))
    return found


def cache_folder() -> Path:
    """Return where downloaded data are kept: the folder ``adambook`` in the user's cache directory."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "adambook"


class Remote(NamedTuple):
    """A file on a public host: the function that reads it, its size, its address and its SHA-256."""

    reader: str
    megabytes: int
    url: str
    sha256: str


MNIST = Remote(
    "mnist",
    11,
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
)
CIFAR10 = Remote(
    "cifar10",
    170,
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)


def _fetched(remote: Remote, download: bool, folder: str | Path | None) -> Path:
    """Return the file's path after checking its SHA-256, and download it first if asked and needed."""
    path = (cache_folder() if folder is None else Path(folder)) / remote.url.rsplit("/", 1)[1]
    if path.exists():
        if _sha256(path) != remote.sha256:
            raise ValueError(f"{path} is not the published file (SHA-256 {remote.sha256}); delete it and download it")
        return path
    by_hand = f"without a network here, put the file of {remote.url} there by hand"
    if not download:
        raise FileNotFoundError(
            f"{path} is missing; {remote.reader}(download=True) fetches its {remote.megabytes} MB once; {by_hand}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # a broken download never looks like the file
    try:
        with urllib.request.urlopen(remote.url, timeout=60) as source, part.open("wb") as target:
            while block := source.read(1 << 20):
                target.write(block)
        if _sha256(part) != remote.sha256:
            raise ValueError(f"{remote.url} gave another file than the published one (SHA-256); nothing was kept")
        part.replace(path)
    except (OSError, HTTPException) as error:
        raise ConnectionError(f"{remote.url} could not be fetched ({error}); {by_hand}: {path}") from error
    finally:
        part.unlink(missing_ok=True)
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _images(name: str, parts: list[Any], classes: tuple[str, ...], features: list[str]) -> Dataset:
    """Return a data set of pixels and labels (train, then test), both bytes."""
    x_train, x_test = (p.reshape(len(p), -1).astype(np.float32) / 255 for p in parts[::2])
    y_train, y_test = (labels.astype(np.int64) for labels in parts[1::2])
    return Dataset(name, x_train, y_train, x_test, y_test, classes, tuple(features))


def _ranked(stream: list[str], vocabulary: int) -> Tokens:
    """Return the stream's most frequent words, numbered by rank, ties by the alphabet."""
    ranked = sorted(Counter(stream).items(), key=lambda item: (-item[1], item[0]))
    names = tuple(word for word, _ in ranked[:vocabulary])
    number = {word: i for i, word in enumerate(names)}
    return Tokens(np.array([number[word] for word in stream if word in number], dtype=np.int64), names)


def _topics() -> dict[str, str]:
    try:
        from pydoc_data.topics import topics  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise ImportError(
            "this Python was installed without its help texts (the module pydoc_data.topics)"
        ) from error
    return dict(topics)


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def _split(rows: int, test_fraction: float, seed: int) -> tuple[Ints, Ints]:
    order = np.random.default_rng(whole("seed", seed)).permutation(rows)
    cut = rows - round(test_fraction * rows)
    if cut == 0:
        raise ValueError(f"test_fraction = {test_fraction} leaves nothing to train on")
    return order[:cut], order[cut:]


def _sparse(rows: list[Counter[str]], column: dict[str, int], kind: str) -> SparseRows:
    start, columns, values = [0], list[int](), list[Array]()
    for row in rows:
        found = sorted((column[word], n) for word, n in row.items() if word in column)
        count = np.array([n for _, n in found], dtype=np.float64)
        if kind == "presence":
            count = np.ones_like(count)
        elif kind == "unit" and len(count):
            count = count / np.linalg.norm(count)
        columns.extend(j for j, _ in found)
        values.append(count)
        start.append(len(columns))
    return SparseRows(
        np.array(start, dtype=np.int64),
        np.array(columns, dtype=np.int64),
        np.concatenate(values),
        len(column),
    )
