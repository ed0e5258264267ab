"""The checkers against a catalogue of wrong solutions, right ones in three styles, and random mutations."""

import ast
import copy
import time

import numpy as np
import pytest
from adambook import checks as check
from adambook import numpy_optim
from adambook.checks.rules import EXERCISES
from adambook.checks.verdict import PROBES, run

NAMES = tuple(EXERCISES)


def written(source, name="mine"):
    names = {"np": np}
    exec(source, names)
    return names[name]


# --- what the checkers take as right, and as each mistake ---------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_right_is_what_the_book_computes(name):
    exercise = EXERCISES[name]
    kind = getattr(numpy_optim, {"adagrad": "Adagrad", "rmsprop": "RMSprop", "amsgrad": "AMSGrad"}.get(
        name, {"adam": "Adam", "adamw": "AdamW"}.get(name)))  # fmt: skip
    for probe in PROBES:
        given = dict(probe.numbers(exercise))
        if "beta1" in given:
            given["betas"] = given.pop("beta1"), given.pop("beta2")
        if "beta" in given:
            given["alpha"] = given.pop("beta")
        rule, theta = kind(**given), np.array(probe.theta)
        state = rule.init(theta)
        for row, mine in zip(probe.gradients, run(exercise, exercise.right, probe), strict=True):
            delta, state = rule.update(np.array(row), state, theta)
            theta = theta + delta
            # Five steps of some ten roundings of 1e-16, of numbers up to 10.
            np.testing.assert_allclose(mine["theta"], theta, rtol=1e-13, atol=1e-14)
            for part in exercise.state:
                np.testing.assert_allclose(mine[part], getattr(state, part), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_every_known_mistake_is_one_change_with_a_sentence_of_its_own(name):
    exercise = EXERCISES[name]
    assert len({said for said, _, _ in exercise.mistakes}) == len(exercise.mistakes) >= 14
    for said, right, wrong in exercise.mistakes:
        assert exercise.body.count(right) == 1 and right != wrong, said
        verdict = getattr(check, name)(exercise.wrong[said])
        assert not verdict and verdict.sentence.endswith(f": {said}."), verdict


# --- right solutions ----------------------------------------------------------------------------------------

RIGHT = {
    "adagrad": (
        "def mine(theta, g, v, lr, eps):\n    v = v + g**2\n    return theta - lr * g / (np.sqrt(v) + eps), v",
        "def mine(x, grad, total, *, lr=0.01, eps=1e-10):\n"
        "    new = np.empty_like(x); kept = np.empty_like(x)\n"
        "    for i in range(len(x)):\n"
        "        kept[i] = total[i] + grad[i] * grad[i]\n"
        "        new[i] = x[i] - lr * grad[i] / (kept[i] ** 0.5 + eps)\n"
        "    return new, kept",
        "def mine(theta, g, v, **h):\n"
        "    squares = np.add(v, np.square(g))\n"
        "    return [theta + -h['lr'] / (h['eps'] + squares ** (1 / 2)) * g, squares]",
    ),
    "rmsprop": (
        "def mine(theta, g, v, lr, beta, eps):\n"
        "    v = beta * v + (1 - beta) * g**2\n    return theta - lr * g / (np.sqrt(v) + eps), v",
        "def mine(theta, g, v, lr, beta, eps):\n"
        "    v = v + (1 - beta) * (g * g - v)\n    theta = theta.copy(); theta -= lr * g / (v**0.5 + eps)\n"
        "    return theta, v",
        "mine = lambda theta, g, v, lr, beta, eps: (lambda v: (theta - lr * g / (eps + np.sqrt(v)), v))("
        "np.average([v, g**2], axis=0, weights=[beta, 1 - beta]))",
    ),
    "adam": (
        "def mine(theta, g, m, v, t, lr, beta1, beta2, eps):\n"
        "    m = beta1 * m + (1 - beta1) * g\n    v = beta2 * v + (1 - beta2) * g**2\n"
        "    m_hat = m / (1 - beta1**t)\n    v_hat = v / (1 - beta2**t)\n"
        "    return theta - lr * m_hat / (np.sqrt(v_hat) + eps), m, v",
        "def mine(theta, g, m, v, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):\n"
        "    out = []\n"
        "    for x, d, a, b in zip(theta, g, m, v):\n"
        "        a += (1 - beta1) * (d - a); b += (1 - beta2) * (d * d - b)\n"
        "        x -= lr / (1 - beta1**t) * a / ((b / (1 - beta2**t)) ** 0.5 + eps)\n"
        "        out.append((x, a, b))\n"
        "    return tuple(np.array(row) for row in zip(*out))",
        "def mine(theta, g, m, v, t, **h):\n"
        "    m, v = (b * old + (1 - b) * new for b, old, new in ((h['beta1'], m, g), (h['beta2'], v, g * g)))\n"
        "    scale = (1 - h['beta2']**t) ** 0.5 / (1 - h['beta1']**t)\n"
        "    step = h['lr'] * scale * m / (np.sqrt(v) + h['eps'] * (1 - h['beta2']**t) ** 0.5)\n"
        "    return theta - step, m, v",
    ),
    "amsgrad": (
        "def mine(theta, g, m, v, v_max, t, lr, beta1, beta2, eps):\n"
        "    m = beta1 * m + (1 - beta1) * g\n    v = beta2 * v + (1 - beta2) * g**2\n"
        "    v_max = np.maximum(v_max, v)\n    m_hat = m / (1 - beta1**t)\n    v_hat = v_max / (1 - beta2**t)\n"
        "    return theta - lr * m_hat / (np.sqrt(v_hat) + eps), m, v, v_max",
        "def mine(theta, g, m, v, top, t, lr, beta1, beta2, eps):\n"
        "    m = m * beta1 + g * (1 - beta1)\n    v = v * beta2 + g * g * (1 - beta2)\n"
        "    top = np.where(v > top, v, top)\n"
        "    return theta - lr / (1 - beta1**t) * m / ((top / (1 - beta2**t)) ** 0.5 + eps), m, v, top",
        "def mine(theta, g, m, v, v_max, t, *, lr, beta1, beta2, eps):\n"
        "    lists = [list(map(float, x)) for x in (theta, g, m, v, v_max)]\n"
        "    new = []\n"
        "    for x, d, a, b, c in zip(*lists):\n"
        "        a = beta1 * a + (1 - beta1) * d; b = beta2 * b + (1 - beta2) * d**2; c = max(b, c)\n"
        "        root = (c / (1 - beta2**t)) ** 0.5\n"
        "        new.append((x - lr * a / (1 - beta1**t) / (root + eps) if a else x, a, b, c))\n"
        "    return tuple(map(list, zip(*new)))",
    ),
    "adamw": (
        "def mine(theta, g, m, v, t, lr, beta1, beta2, eps, weight_decay):\n"
        "    m = beta1 * m + (1 - beta1) * g\n    v = beta2 * v + (1 - beta2) * g**2\n"
        "    m_hat = m / (1 - beta1**t)\n    v_hat = v / (1 - beta2**t)\n"
        "    return theta - lr * (m_hat / (np.sqrt(v_hat) + eps) + weight_decay * theta), m, v",
        "def mine(theta, g, m, v, t, lr, beta1, beta2, eps, weight_decay):\n"
        "    m = beta1 * m + (1 - beta1) * g\n    v = beta2 * v + (1 - beta2) * g**2\n"
        "    theta = (1 - lr * weight_decay) * theta\n"
        "    return theta - lr * m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps), m, v",
        "def mine(theta, g, m, v, t, **h):\n"
        "    def average(old, new, beta):\n        return old + (1 - beta) * (new - old)\n"
        "    m, v = average(m, g, h['beta1']), average(v, g**2, h['beta2'])\n"
        "    hat = lambda x, beta: x / (1 - beta**t)\n"
        "    direction = hat(m, h['beta1']) / (hat(v, h['beta2']) ** 0.5 + h['eps'])\n"
        "    return theta - h['lr'] * direction - h['lr'] * h['weight_decay'] * theta, m, v",
    ),
}
each_style = pytest.mark.parametrize(
    ("name", "source"), [(name, source) for name, styles in RIGHT.items() for source in styles]
)


@each_style
def test_right_solutions_pass_within_a_second(name, source):
    began = time.process_time()
    verdict = getattr(check, name)(written(source))
    assert verdict and verdict.sentence == "right", verdict
    assert time.process_time() - began < 1


# --- wrong solutions, as students write them ----------------------------------------------------------------

ADAM = RIGHT["adam"][0]
CATALOGUE = {
    "epsilon stands inside the root": ("adam", "np.sqrt(v_hat) + eps", "np.sqrt(v_hat + eps)"),
    "epsilon is added to the parameters": ("adam", "np.sqrt(v_hat) + eps)", "np.sqrt(v_hat)) + eps"),
    "takes t - 1": ("adam", "    m_hat", "    t = t - 1\n    m_hat"),
    "takes t + 1": ("adam", "    m_hat", "    t += 1\n    m_hat"),
    "the root is missing": ("adam", "np.sqrt(v_hat)", "v_hat"),
    "went back into the state": ("adam", "eps), m, v", "eps), m_hat, v_hat"),
    "neither m nor v is corrected": ("adam", "lr * m_hat / (np.sqrt(v_hat)", "lr * m / (np.sqrt(v)"),
    "uphill": ("adam", "theta - lr", "theta + lr"),
    "which is L2": ("adamw", "    m = beta1", "    g = g + weight_decay * theta; weight_decay = 0\n    m = beta1"),
    "not multiplied by lr": ("adamw", "+ eps) + weight_decay", "+ eps)) - (weight_decay"),
    "maximum is of corrected values": (
        "amsgrad", "(v_max, v)\n", "(v_max, v / (1 - beta2**t))\n", "v_max / (1 - beta2**t)", "v_max"
    ),
    "changes the v that it is given": ("adagrad", "v = v + g**2", "v += g**2"),
    "keep no state outside": (
        "adagrad", "def mine", "total = 0\ndef mine",
        "    v = v + g**2", "    global total\n    v = total = total + g**2",
    ),
    "AdaGrad's is a sum": ("adagrad", "v = v + g**2", "v = 0.9 * v + 0.1 * g**2"),
    "RMSProp's is an average": ("rmsprop", "beta * v + (1 - beta) * g**2", "v + g**2"),
    "stops with NameError": ("adam", "np.sqrt(v_hat)", "sqrt(v_hat)"),
    "missing a required argument": None,
    "returns one value; it is to return theta, m, v": ("adam", "eps), m, v", "eps)"),
    "has shape": ("adam", "eps), m, v", "eps), m.sum(), v"),
    "not answered yet": ("adam", "    m = beta1", "    return None\n    m = beta1"),
    "m is right so far": ("adam", "beta2 * v + (1 - beta2) * g**2", "beta2 * v + (1 - beta2) * g**4"),
}  # fmt: skip


@pytest.mark.parametrize("says", CATALOGUE)
def test_wrong_solutions_are_told_what_is_wrong(says):
    if CATALOGUE[says] is None:
        name, source = "adam", "def mine(theta, g, m, v): return theta, m, v"
        says = "It is called as adam(theta, g, m, v, t, lr, beta1, beta2, eps)"
    else:
        name, *changes = CATALOGUE[says]
        source = RIGHT[name][0]
        for right, wrong in zip(changes[::2], changes[1::2], strict=True):
            assert right in source
            source = source.replace(right, wrong)
    verdict = getattr(check, name)(written(source))
    assert not verdict and says in verdict.sentence, verdict
    assert "\n" not in verdict.sentence and len(verdict.sentence) < 400


def test_what_is_no_function_is_no_answer():
    assert "hand over the function itself" in check.adam((1, 2, 3)).sentence
    for unanswered in ("...", "raise NotImplementedError", "pass"):
        assert check.adam(written(f"def mine(*a, **k): {unanswered}")).sentence == "not answered yet"


def test_the_sentence_shows_the_smallest_input():
    sentence = check.adam(written(ADAM.replace("np.sqrt(v_hat) + eps", "np.sqrt(v_hat + eps)"))).sentence
    assert sentence.startswith("With theta = 0, g = 1e-08, lr = 1, beta1 = 0.5, beta2 = 0.9, eps = 1e-08, your theta")


# --- mutations ----------------------------------------------------------------------------------------------

SWAPS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult}


def mutants(source):
    """Yield the source with one operator, sign, order, constant or name changed, each change once."""
    tree = ast.parse(source)
    names = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and len(node.id) <= 5} - {"np"})
    for at, node in enumerate(ast.walk(tree)):
        changes = []
        if isinstance(node, ast.BinOp):
            changes.append(lambda n: setattr(n, "op", SWAPS[type(n.op)]()))
            changes.append(lambda n: n.__dict__.update(left=n.right, right=n.left))
        elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            changes += [lambda n, by=by: setattr(n, "value", n.value + by) for by in (1, -1)]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
            other = names[(names.index(node.id) + 1) % len(names)]
            changes.append(lambda n, other=other: setattr(n, "id", other))
        for change in changes:
            copied = copy.deepcopy(tree)
            change(list(ast.walk(copied))[at])
            text = ast.unparse(ast.fix_missing_locations(copied))
            if text != ast.unparse(tree):
                yield text


def behaves_alike(exercise, mutant):
    """Whether a mutant is right on a long run of its own: then it is another way to write the rule."""
    rng = np.random.default_rng(1)
    hyper = dict(zip(exercise.hypers, rng.uniform(0.1, 0.9, len(exercise.hypers)), strict=True))
    start = rng.normal(size=4)
    kept = [[start, *(np.zeros(4) for _ in exercise.state)] for _ in range(2)]
    for t in range(1, 30):
        g, counted = rng.normal(size=4), [t] * exercise.counts
        for i, rule in enumerate((exercise.right, mutant)):
            try:
                with np.errstate(all="ignore"):
                    kept[i] = list(rule(kept[i][0], g, *kept[i][1:], *counted, **hyper))
                if not all(np.shape(a) == (4,) for a in kept[i]):
                    return False
            except Exception:
                return False
        if not all(np.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True) for a, b in zip(*kept, strict=True)):
            return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_mutations_are_caught(name):
    caught, all_of_them = 0, 0
    for text in mutants(RIGHT[name][0]):
        mutant = written(text)
        if behaves_alike(EXERCISES[name], mutant):
            continue
        all_of_them += 1
        caught += not getattr(check, name)(mutant)
    assert all_of_them >= 19 and caught >= 0.95 * all_of_them, f"{caught} of {all_of_them}"


@pytest.mark.parametrize("value", [[1.0, 2.0], (1, 2), np.array([1.0, 2 + 1e-12]), np.float32([1, 2])])
def test_a_right_value_agrees(value):
    assert check.agrees(value, [1.0, 2.0])


@pytest.mark.parametrize(
    "value",
    [[], 1.0, [1.0], [[1.0, 2.0]], [1.0, 2.1], [1.0, np.nan], ["1", "2"], None, [1.0, 2j], [1.0, [2.0]], "12"],
)
def test_anything_else_does_not(value):
    assert not check.agrees(value, [1.0, 2.0])


def test_nothing_is_close_to_an_empty_array():
    assert not check.agrees(np.zeros(0), 1.0)
