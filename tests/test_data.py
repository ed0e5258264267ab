"""The data: shapes, dtypes, splits that share nothing, and errors that say what to do."""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from adambook import data
from adambook.data import SparseRows


def test_digits_are_scaled_and_split():
    found = data.digits()
    assert found.x_train.shape == (1348, 64) and found.x_test.shape == (449, 64)
    assert found.x_train.dtype == np.float64 and found.y_train.dtype == np.int64
    assert found.x_train.min() == 0 and found.x_train.max() == 1
    assert sorted(set(found.y_train)) == list(range(10)) == [int(name) for name in found.classes]
    assert len(found.features) == 64


def test_digits_keep_row_and_label_together():
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    label_of = {row.tobytes(): label for row, label in zip(pixels, labels, strict=True)}
    found = data.digits(seed=3)
    x = np.concatenate([found.x_train, found.x_test])
    y = np.concatenate([found.y_train, found.y_test])
    assert [label_of[(16 * row).tobytes()] for row in x] == y.tolist()
    assert len(label_of) == len({row.tobytes() for row in x}) == 1797


def test_digits_split_follows_the_seed():
    first, again, other = data.digits(seed=1), data.digits(seed=1), data.digits(seed=2)
    assert np.array_equal(first.x_train, again.x_train)
    assert not np.array_equal(first.y_train, other.y_train)


def test_digits_without_scikit_learn_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        data.digits()


def test_paragraphs_are_labelled_and_never_repeated():
    text, topic, topics = data.paragraphs()
    assert len(text) == len(topic) > 500 and len(topics) > 5
    assert topic.dtype == np.int64 and topic.min() == 0 and topic.max() == len(topics) - 1
    assert np.bincount(topic).min() >= 20
    assert len({tuple(data._words(paragraph)) for paragraph in text}) == len(text)
    assert min(len(data._words(paragraph)) for paragraph in text) >= 5
    by_hand = " ".join(data._topics()[topics[topic[0]]].split())
    assert text[0] in by_hand


def test_bag_of_words_counts_words():
    found = data.bag_of_words(values="count", seed=5)
    source = data.paragraphs()
    order = np.random.default_rng(5).permutation(len(source.text))
    assert found.x_train.shape == (len(found.y_train), len(found.features))
    assert len(found.y_train) + len(found.y_test) == len(source.text)
    for part, labels, rows in (
        (found.x_train, found.y_train, order[: len(found.y_train)]),
        (found.x_test, found.y_test, order[len(found.y_train) :]),
    ):
        full = part.dense()
        for i in (0, 7, len(labels) - 1):
            words = data._words(source.text[rows[i]])
            assert full[i].tolist() == [words.count(word) for word in found.features]
            assert labels[i] == source.topic[rows[i]]


def test_vocabulary_comes_from_the_training_part():
    found = data.bag_of_words(min_rows=3)
    assert np.bincount(found.x_train.columns, minlength=len(found.features)).min() >= 3


@pytest.mark.parametrize(
    ("values", "check"), [("presence", lambda x: x.max(axis=1)), ("unit", lambda x: (x * x).sum(axis=1))]
)
def test_bag_of_words_scalings(values, check):
    full = data.bag_of_words(values=values).x_train.dense()
    full = full[full.any(axis=1)]
    np.testing.assert_allclose(check(full), 1, rtol=1e-14)  # a sum of some 20 squares: rounding only
    if values == "presence":
        assert set(np.unique(full)) == {0, 1}


def test_sparse_rows_are_the_matrix():
    rows = SparseRows(np.array([0, 2, 2, 3]), np.array([0, 3, 1]), np.array([1.0, 2.0, 3.0]), 4)
    assert len(rows) == 3 and rows.shape == (3, 4)
    expected = [[1, 0, 0, 2], [0, 0, 0, 0], [0, 3, 0, 0]]
    assert rows.dense().tolist() == expected
    assert rows.dense(slice(1, 3), np.float32).tolist() == expected[1:]
    assert rows.dense(dtype=np.float32).dtype == np.float32
    assert [part.tolist() for part in rows.row(0)] == [[0, 3], [1, 2]]


def test_words_are_ranked_by_frequency():
    ids, names = data.words(50)
    counts = np.bincount(ids, minlength=50)
    assert len(names) == len(set(names)) == 50
    assert np.all(np.diff(counts) <= 0) and counts[-1] > 0
    stream = [word for text in data.paragraphs().text for word in data._words(text)]
    assert [names[i] for i in ids[:20]] == [word for word in stream if word in names][:20]


def test_characters_spell_the_text():
    ids, names = data.characters()
    assert "".join(names[i] for i in ids[:200]) in "\n".join(data.paragraphs().text)
    assert set(names) <= {"\n", *map(chr, range(32, 127))}


def test_first_and_label_noise():
    found = data.digits().first(500)
    assert len(found.y_train) == len(found.x_train) == 500 and len(found.y_test) == 449
    noisy = found.with_label_noise(0.2, seed=1)
    assert (noisy.y_train != found.y_train).sum() == 100 and "100 wrong labels" in noisy.name
    assert set(noisy.y_train) == set(range(10)) and np.array_equal(noisy.y_test, found.y_test)
    assert np.array_equal(noisy.y_train, found.with_label_noise(0.2, seed=1).y_train)
    assert not np.array_equal(noisy.y_train, found.with_label_noise(0.2, seed=2).y_train)


def test_recorded():
    found = data.recorded("descend")
    assert found["command"] == "python benchmarks/descend.py --record"
    assert {"title", "date"} <= set(found)
    with pytest.raises(ValueError, match=r"'optimizer_stop'.*'optimizer_step'"):
        data.recorded("optimizer_stop")


def npz(rows: int) -> bytes:
    """MNIST's file, with so many rows."""
    pixels = np.arange(rows * 28 * 28).reshape(rows, 28, 28).astype(np.uint8)
    file = io.BytesIO()
    np.savez(file, x_train=pixels, y_train=np.arange(rows, dtype=np.uint8), x_test=pixels[:1], y_test=np.uint8([7]))
    return file.getvalue()


def tar(rows: int) -> bytes:
    """CIFAR-10's file, with so many rows a batch: row i of batch b has label i and pixels 10 b + i."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for b, name in enumerate([*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"], 1):
            batch = b"".join(bytes([i]) + bytes([10 * b + i]) * 3072 for i in range(rows))
            for path, content in ((name, batch), ("batches.meta.txt", b"airplane\nautomobile\n\n")):
                entry = tarfile.TarInfo(f"cifar-10-batches-bin/{path}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A local server in the place of the data sets' hosts, which nothing here asks."""
    served = tmp_path / "served"
    served.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=served))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, content in (("MNIST", npz(3)), ("CIFAR10", tar(2))):
        real = getattr(data, name)
        file = real.url.rsplit("/", 1)[1]
        (served / file).write_bytes(content)
        url = f"http://127.0.0.1:{server.server_port}/{file}"
        monkeypatch.setattr(data, name, real._replace(url=url, sha256=hashlib.sha256(content).hexdigest()))
    yield server, served
    server.shutdown()
    server.server_close()


def test_mnist_is_fetched_once(host, tmp_path):
    server, _ = host
    kept = tmp_path / "a" / "cache"
    found = data.mnist(download=True, folder=kept)
    assert [path.name for path in kept.iterdir()] == ["mnist.npz"]
    server.shutdown()
    server.server_close()
    again = data.mnist(folder=kept)
    for dataset in (found, again):
        assert dataset.x_train.shape == (3, 784) and dataset.x_test.shape == (1, 784)
        assert dataset.x_train.dtype == np.float32 and dataset.y_train.tolist() == [0, 1, 2]
        assert dataset.x_train[0, 255] == 1 and dataset.x_train[0, 51] == np.float32(0.2)
        assert dataset.y_test.tolist() == [7] and len(dataset.features) == 784 and len(dataset.classes) == 10


def test_cifar10_is_read_in_order(host, tmp_path):
    found = data.cifar10(download=True, folder=tmp_path)
    assert found.x_train.shape == (10, 3072) and found.x_test.shape == (2, 3072)
    assert found.y_train.tolist() == 5 * [0, 1] and found.classes == ("airplane", "automobile")
    first = np.rint(255 * found.x_train[:, 0]).astype(int).tolist()
    assert first == [10, 11, 20, 21, 30, 31, 40, 41, 50, 51]
    assert found.x_test[:, -1].tolist() == [np.float32(60) / 255, np.float32(61) / 255]
    assert len(found.features) == 3072 and found.features[1024] == "green 0,0"


@pytest.mark.parametrize(("read", "file"), [(data.mnist, "mnist.npz"), (data.cifar10, "cifar-10-binary.tar.gz")])
def test_nothing_is_downloaded_unasked(read, file, tmp_path, monkeypatch):
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("asked the network"))
    with pytest.raises(FileNotFoundError, match=rf"{file} is missing; .*download=True.*https://.*by hand"):
        read(folder=tmp_path / "empty")
    assert not (tmp_path / "empty").exists()


def test_another_file_is_refused(host, tmp_path):
    _, served = host
    (served / "mnist.npz").write_bytes(npz(4))
    with pytest.raises(ValueError, match=r"another file than the published one \(SHA-256\)"):
        data.mnist(download=True, folder=tmp_path)
    (tmp_path / "mnist.npz").write_bytes(npz(3)[:-1])
    with pytest.raises(ValueError, match=r"is not the published file.*delete it"):
        data.mnist(download=True, folder=tmp_path)
    assert [path.name for path in tmp_path.glob("*mnist*")] == ["mnist.npz"]


def test_a_host_out_of_reach(host, tmp_path):
    server, served = host
    (served / "mnist.npz").unlink()
    with pytest.raises(ConnectionError, match=r"could not be fetched \(.*404.*by hand: .*mnist.npz"):
        data.mnist(download=True, folder=tmp_path)
    server.shutdown()
    server.server_close()
    with pytest.raises(ConnectionError, match=r"could not be fetched \(.*refused"):
        data.mnist(download=True, folder=tmp_path)
    assert not list(tmp_path.glob("*mnist*"))


def test_published_hashes_are_sha256():
    for remote in (data.MNIST, data.CIFAR10):
        assert len(bytes.fromhex(remote.sha256)) == 32 and remote.url.startswith("https://")


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "{}/adambook"),
        ("win32", "LOCALAPPDATA", "{}/adambook"),
        ("darwin", "HOME", "{}/Library/Caches/adambook"),
    ],
)
def test_cache_folder(platform, variable, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    assert data.cache_folder().as_posix() == expected.format(tmp_path.as_posix())


def test_text_file_is_yours(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("Über die Brücke, über den Fluß!\n", encoding="utf-8")
    ids, names = data.text_file(path)
    assert "".join(names[i] for i in ids) == "Über die Brücke, über den Fluß!\n" and ids.dtype == np.int64
    ids, names = data.text_file(path, vocabulary=3)
    assert names == ("über", "brücke", "den") and ids.tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize(
    ("content", "says"), [(b"\xff\xfe", r"not UTF-8 text \(byte 0\)"), (b"aaa", "1 different"), (b"", "0 different")]
)
def test_text_file_that_is_no_text(content, says, tmp_path):
    (tmp_path / "text.txt").write_bytes(content)
    with pytest.raises(ValueError, match=f"text.txt.*{says}"):
        data.text_file(tmp_path / "text.txt")


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: data.text_file("missing.txt"), FileNotFoundError, "missing.txt"),
        (lambda: data.digits(test_fraction=1), ValueError, "test_fraction = 1"),
        (lambda: data.digits(seed=-1), ValueError, "seed = -1"),
        (lambda: data.bag_of_words(values="tfidf"), ValueError, "'tfidf'.*'presence'"),
        (lambda: data.bag_of_words(min_rows=0), ValueError, "min_rows = 0"),
        (lambda: data.bag_of_words(min_rows=10_000), ValueError, "min_rows = 10000 leaves no word"),
        (lambda: data.paragraphs(min_paragraphs=10_000), ValueError, "leave 0 topics"),
        (lambda: data.paragraphs(min_words=2.5), TypeError, "min_words = 2.5"),
        (lambda: data.digits().first(1349), ValueError, "rows = 1349.*1348"),
        (lambda: data.bag_of_words().first(5), TypeError, "dense"),
        (lambda: data.digits().with_label_noise(1.5), ValueError, "fraction = 1.5"),
        (lambda: data.words(1), ValueError, "vocabulary = 1"),
    ],
)
def test_bad_input_is_named(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_a_film_is_a_function_of_seed_and_time():
    film = data.moving_digits([3, 8], range(40))
    assert film.shape == (2, 40, 20, 20) and film.dtype == np.float32
    assert np.array_equal(data.moving_digits([8, 3], [7, 2])[1], film[0, [7, 2]])
    assert not np.array_equal(film[0], film[1])
    assert np.array_equal(data.moving_digits(3, 5)[0, 0], film[0, 5])


def test_two_whole_digits_move_along_diagonals():
    """The brighter pixel of both digits, placed by hand."""
    x = data.digits().x_train
    for seed in range(20):
        rng = np.random.default_rng(seed)
        pictures = x[rng.integers(len(x), size=2)].reshape(2, 8, 8).astype(np.float32)
        at, speed = rng.integers(13, size=(2, 2)), rng.choice([-1, 1], size=(2, 2))
        for frame in data.moving_digits(seed, range(30))[0]:
            expected = np.zeros((20, 20), np.float32)
            for picture, (row, column) in zip(pictures, at, strict=True):
                seen = expected[row : row + 8, column : column + 8]
                np.maximum(seen, picture, out=seen)
            assert np.array_equal(frame, expected)
            speed = np.where((at + speed < 0) | (at + speed > 12), -speed, speed)
            at = at + speed


def test_films_to_test_on_show_other_digits():
    train, test = (data.moving_digits(range(5), 0, part=part) for part in ("train", "test"))
    assert not any(np.array_equal(*pair) for pair in zip(train, test, strict=True))


def test_moving_digits_refuse_what_they_cannot_show():
    with pytest.raises(ValueError, match="size = 8"):
        data.moving_digits(0, 0, size=8)
    with pytest.raises(ValueError, match="'train', 'test'"):
        data.moving_digits(0, 0, part="both")
    with pytest.raises(ValueError, match="seeds = -1"):
        data.moving_digits([-1], 0)
    with pytest.raises(TypeError, match="seeds"):
        data.moving_digits(0.5, 0)
