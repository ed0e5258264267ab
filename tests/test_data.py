"""The data: shapes, dtypes, splits that share nothing, and errors that say what to do."""

from __future__ import annotations

import sys

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


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
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
