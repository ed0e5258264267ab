"""What students answer wrongly: for each test, changes to the master's answer and words of what the test then says.

A change is the right text, the wrong one, and the words; ``...`` as the right text stands for the whole answer.
"""

ALL = ...

ADAGRAD = {
    "test-third-step": [
        ("12 / 13", "12 / 19", "not the gradients"),
        ("12 / 13", "12 / 169", "root"),
        ("12 / 13", "12 / 5", "own square"),
        ("12 / 13", "1 / 3**0.5", "after each"),
        ("12 / 13", "None", "a number"),
    ],
    "test-lr-for": [
        ("np.sum(1 / np.sqrt(np.arange(1, steps + 1)))", "steps", "shorter than the first"),
        ("np.sum(1 / np.sqrt(np.arange(1, steps + 1)))", "np.sqrt(steps)", "lead to"),
        ("np.sum(1 / np.sqrt(np.arange(1, steps + 1)))", "(2 * np.sqrt(steps))", "one step of length lr"),
        ("1 / np.sqrt(np.arange(1, steps + 1))", "1 / np.arange(1, steps + 1)", "lead to"),
        ("steps + 1", "steps", "one step of length lr"),
    ],
    "test-adagrad-norm": [
        ("np.sum(g**2)", "np.mean(g**2)", "not 25"),
        ("np.sum(g**2)", "g**2", "not 25"),
        ("np.sum(g**2)", "np.linalg.norm(g)", "not 25"),
        ("v = v + np.sum(g**2)", "v = np.sum(g**2)", "sum over both rows"),
        ("theta = theta - lr", "theta -= lr", "changes the theta"),
        ("for g in gradients:", "v = 0.0\n    for g in gradients:", "goes on from"),
        ("(np.sqrt(v) + eps)", "np.sqrt(v + eps)", "root and eps"),
    ],
    "test-sparse-once": [
        ("(np.sqrt(sums[once]) + eps)", "np.sqrt(sums[once] + eps)", "beside the root"),
        ("table, sums = table.copy(), sums.copy()", "pass", "changes the table"),
        ("sums[once] += total**2", "sums[once] = total**2", "goes on"),
        (
            "table[once] -= lr * total / (np.sqrt(sums[once]) + eps)",
            "full = np.zeros_like(table)\n    full[once] = total\n"
            "    table = table - lr * full / (np.sqrt(sums) + eps)",
            "table is",
        ),
    ],
    "test-sparse-twice": [
        (ALL, "return sparse_wrong(table, sums, rows, g, lr, eps)", "one place is lost"),
        ("sums[once] += total**2", "np.add.at(sums, rows, g**2)", "before you square"),
        (
            "table[once] -= lr * total / (np.sqrt(sums[once]) + eps)",
            "np.add.at(table, rows, -lr * total[place.ravel()] / (np.sqrt(sums[rows]) + eps))",
            "moved twice",
        ),
        ("-= lr * total /", "-= lr * g[: len(once)] /", "the step is not"),
    ],
    "test-regret": [
        (
            "paid += abs(x - target)\n        g = np.sign(x - target)",
            "g = np.sign(x - target)\n        paid += abs(x - lr * g / np.sqrt(v + g**2) - target)",
            "before you move",
        ),
        ("np.clip(x - lr * g / np.sqrt(v), -1, 1)", "x - lr * g / np.sqrt(v)", "leaves the interval"),
        ("- np.sum(np.abs(np.median(z) - z))", "", "not the regret"),
        ("np.median(z)", "z[-1]", "best"),
        ("np.median(z)", "np.mean(z)", "three rounds"),
        ("v += g**2", "v = g**2", "three rounds"),
    ],
    "test-best-lr": [
        ("np.argmin(found)", "np.argmax(found)", "largest"),
        ("np.argmin(found)", "np.argmin(found) + 1", "less regret"),
        ("grid[np.argmin(found)]", "2 / np.sqrt(2)", "one of the numbers of grid"),
        ("grid[np.argmin(found)]", "min(found)", "one of the numbers of grid"),
    ],
}

RMSPROP = {
    "test-second-step": [
        ("2 / 1.75**0.5", "1.0", "does not correct"),
        ("2 / 1.75**0.5", "1 / 2**0.5", "not a sum"),
        ("2 / 1.75**0.5", "2 / 1.75", "root"),
        ("2 / 1.75**0.5", "2 / 3.75**0.5", "weighs the past"),
        ("2 / 1.75**0.5", "2.0", "shorter"),
    ],
    "test-decay-for": [
        ("(1 / factor**2 - 1)", "(1 / factor - 1)", "0.9656"),
        ("(1 / factor**2 - 1)", "(1 / factor**2)", "not twice"),
        ("(-1 / steps)", "(1 / steps)", "between 0 and 1"),
        (" / 3)", ")", "0.9656"),
    ],
    "test-corrected-once": [
        ("np.sqrt(v / (1 - beta**t) + eps)", "(np.sqrt(v / (1 - beta**t)) + eps)", "inside the root"),
        ("np.sqrt(v / (1 - beta**t) + eps)", "np.sqrt((v + eps) / (1 - beta**t))", "corrected v"),
        ("np.sqrt(v / (1 - beta**t) + eps)", "np.sqrt(v + eps)", "not at -1"),
        ("theta = theta - lr", "theta -= lr", "changes what"),
        ("g**2\n", "g**2\n        v = v / (1 - beta**t)\n", "raw v"),
    ],
    "test-corrected-resumed": [
        ("for g in gradients:", "t = 0\n    for g in gradients:", "go on counting"),
        ("for g in gradients:", "v = 0 * v\n    for g in gradients:", "another v"),
        ("beta**t", "beta * t", "equal gradients"),
        ("beta**t", "beta", "equal gradients"),
        ("g**2", "np.sum(g) ** 2", "two coordinates"),
    ],
    "test-centred-same": [
        ("beta * (1 - beta) * d**2", "(1 - beta) * d**2", "s is 1"),
        ("beta * (1 - beta) * d**2", "(1 - beta) ** 2 * d**2", "not v - g_bar**2"),
        ("(np.sqrt(s) + eps)", "np.sqrt(s + eps)", "theta is not"),
        ("g_bar + (1 - beta) * d", "g_bar + beta * d", "not the average"),
    ],
    "test-centred-digits": [
        (
            ALL,
            "v = beta * (s + g_bar**2) + (1 - beta) * g**2\ng_bar = beta * g_bar + (1 - beta) * g\n"
            "s = np.maximum(v - g_bar**2, 0)\nreturn theta - lr * g / (np.sqrt(s) + eps), s, g_bar",
            "lost its digits",
        ),
        (
            ALL,
            "v = beta * (s + g_bar**2) + (1 - beta) * g**2\ng_bar = beta * g_bar + (1 - beta) * g\n"
            "s = v - g_bar**2\nreturn theta - lr * g / (np.sqrt(s) + eps), s, g_bar",
            "never below 0",
        ),
        (
            ALL,
            "v = beta * (s + g_bar**2) + (1 - beta) * g**2\ng_bar = beta * g_bar + (1 - beta) * g\n"
            "s = abs(v - g_bar**2)\nreturn theta - lr * g / (np.sqrt(s) + eps), s, g_bar",
            "lost its digits",
        ),
    ],
    "test-recovery": [
        ("beta + (1 - beta) * outlier**2, 0", "outlier**2, 0", "is 2, not 3"),
        ("beta + (1 - beta) * outlier**2, 0", "(1 - beta) * outlier**2, 0", "one step off"),
        ("v > 4", "v > 2", "is 2, not"),
        ("beta * v + (1 - beta), n", "beta * v, n", "is not"),
        ("outlier**2, 0", "outlier**2, 1", "is 2, not 3"),
    ],
    "test-slowest": [
        ("slowest = 0.999", "slowest = 0.9999", "longest memory"),
        ("slowest = 0.999", "slowest = 0.9", "figures"),
        ("slowest = 0.999", "slowest = 0.5", "one of the four"),
    ],
}

ADAM = {
    "test-second-step": [
        ("7**0.5 / 3", "1.0", "at t = 2"),
        ("7**0.5 / 3", "(2 / 0.75) / (4 * 16 / 7)", "root"),
        ("7**0.5 / 3", "0.5", "remember"),
        ("7**0.5 / 3", "2 / (4 * 16 / 7) ** 0.5", "only v"),
        ("7**0.5 / 3", "(3 / 0.75) / (13 * 16 / 7) ** 0.5", "into the state"),
        ("7**0.5 / 3", "0.9", "both hats"),
    ],
    "test-first-step": [
        ("0.1**0.5", "10**0.5", "both rates"),
        ("0.1**0.5", "1.0", "left out"),
        ("0.1**0.5", "0.1", "root"),
        ("0.1**0.5", "-0.3", "above 0"),
    ],
    "test-varying": [
        ("left = left * beta1", "left = beta1**t", "add up to 1"),
        ("left = left * beta1", "left = beta1", "equal rates"),
        ("left = left * beta1", "left = 0.0", "equal rates"),
        ("v = beta2 * v + (1 - beta2)", "v = beta1 * v + (1 - beta1)", "equal rates"),
        ("(np.sqrt(v / (1 - beta2**t)) + eps)", "np.sqrt(v / (1 - beta2**t) + eps)", "eps 0.01"),
    ],
    "test-mistake-a": [
        ("mistakes[2]", "mistakes[0]", "first step alone"),
        ("mistakes[2]", "mistakes[1]", "first step alone"),
        ("mistakes[2]", "'v'", "seven texts"),
    ],
    "test-mistake-b": [
        ("mistakes[4]", "mistakes[3]", "from the second on"),
        ("mistakes[4]", "mistakes[6]", "from the second on"),
        ("mistakes[4]", "4", "seven texts"),
    ],
    "test-mistake-c": [
        ("mistakes[5]", "mistakes[3]", "little"),
        ("mistakes[5]", "mistakes[6]", "little"),
        ("mistakes[5]", "None", "seven texts"),
    ],
    "test-longest": [
        ("(beta1 / beta2) ** np.arange(n - 1.0, -1, -1)", "np.ones(n)", "longer one is possible"),
        ("(beta1 / beta2) ** np.arange(n - 1.0, -1, -1)", "np.eye(n)[-1]", "equal rates"),
        ("(beta1 / beta2) **", "(beta2 / beta1) **", "longer one is possible"),
        ("np.arange(n - 1.0, -1, -1)", "np.arange(n)", "to be 1"),
        ("(beta1 / beta2) **", "(beta1**2 / beta2) **", "equal rates"),
    ],
    "test-noise-step": [
        ("np.sqrt(np.mean(step**2))", "np.mean(np.abs(step))", "then the root"),
        ("np.sqrt(np.mean(step**2))", "abs(np.mean(step))", "one row"),
        ("m / (1 - beta1**t)", "m", "one row"),
        ("np.sqrt(np.mean(step**2))", "np.std(step)", "4 and then 2"),
        ("beta2 * v + (1 - beta2) * g**2", "v + g**2", "one row"),
    ],
    "test-quarter": [
        ("15 / 17", "0.6", "sixteenth"),
        ("15 / 17", "0.9", "too short or too long"),
        ("15 / 17", "1.2", "between 0 and 1"),
    ],
}

AMSGRAD = {
    "test-third-torch": [
        ("1 / (4.75 / (37 / 64)) ** 0.5", "1 / (3.8125 / (37 / 64)) ** 0.5", "Adam's step"),
        ("1 / (4.75 / (37 / 64)) ** 0.5", "1 / 4.75**0.5", "to be corrected"),
        ("1 / (4.75 / (37 / 64)) ** 0.5", "1 / (4.75 / (7 / 16)) ** 0.5", "t = 3"),
        ("1 / (4.75 / (37 / 64)) ** 0.5", "1 / 16**0.5", "write out"),
        ("1 / (4.75 / (37 / 64)) ** 0.5", "1.0", "correction makes"),
    ],
    "test-third-optax": [
        ("1 / (4.75 / (7 / 16)) ** 0.5", "1 / (4.75 / (37 / 64)) ** 0.5", "before the maximum"),
        ("1 / (4.75 / (7 / 16)) ** 0.5", "1 / (3.8125 / (37 / 64)) ** 0.5", "Adam's step"),
        ("1 / (4.75 / (7 / 16)) ** 0.5", "1 / (4.75 / (7 / 16))", "root"),
        ("1 / (4.75 / (7 / 16)) ** 0.5", "0.5", "three corrected values"),
    ],
    "test-leaky": [
        ("gamma * v_max, v", "v_max, v", "fades to 4"),
        ("np.maximum(gamma * v_max, v)", "gamma * np.maximum(v_max, v)", "does not fade"),
        ("np.maximum(gamma * v_max, v)", "gamma * v_max + (1 - gamma) * v", "fades to 4"),
        ("v_max = np.maximum(gamma * v_max, v)", "v = v_max = np.maximum(gamma * v_max, v)", "without the maximum"),
        ("(np.sqrt(v_max) + eps)", "np.sqrt(v_max + eps)", "theta is not"),
        ("np.maximum(gamma * v_max, v)", "max((gamma * v_max).max(), v.max()) + 0 * v", "both coordinates"),
    ],
    "test-period-move": [
        ("move -= g", "move += g", "sign"),
        ("np.sqrt(v)", "v", "0.681"),
        ("for g in gradients:", "for g in gradients[:2]:", "0.681"),
        (" / (1 - beta2**period)", "", "both moves cancel"),
        (
            "v, move = weights @ gradients**2 / (1 - beta2**period), 0.0",
            "v, move = np.mean(gradients**2), 0.0\n"
            "    for g in np.tile(gradients, 3):\n"
            "        v = beta2 * v + (1 - beta2) * g**2",
            "come to repeat",
        ),
    ],
    "test-threshold": [
        ("betas[np.argmax(moves < 0)]", "0.475", "threshold of 3"),
        ("betas[np.argmax(moves < 0)]", "betas[np.argmin(moves)]", "sign of the move"),
        ("betas[np.argmax(moves < 0)]", "np.argmax(moves < 0)", "between 0 and 1"),
    ],
    "test-run": [
        (ALL, "return run_wrong(theta, gradients, state, lr, beta1, beta2, eps)", "forgets"),
        ("return theta, (m, v, v_max, t)", "return theta, (m, v, v_max, 0)", "two pieces"),
        ("return theta, (m, v, v_max, t)", "return theta, None", "two pieces"),
        ("v = beta2 * v", "v = beta2 * v_max", "large gradient first"),
    ],
}

ADAMW = {
    "test-left-torch": [
        ("(1 - 0.1 * 0.5) ** 2", "0.25", "multiplied by alpha"),
        ("(1 - 0.1 * 0.5) ** 2", "0.95", "there are two"),
        ("(1 - 0.1 * 0.5) ** 2", "0.9", "what is left"),
        ("(1 - 0.1 * 0.5) ** 2", "1.1", "shrinks"),
    ],
    "test-left-paper": [
        ("(1 - 0.5) ** 2", "0.9025", "alpha has no part"),
        ("(1 - 0.5) ** 2", "0.5", "there are two"),
        ("(1 - 0.5) ** 2", "0.0", "shrinks"),
        ("(1 - 0.5) ** 2", "0.75", "what factor"),
    ],
    "test-left-l2": [
        ("1 - 0.1 - 0.1", "0.9025", "what size"),
        ("1 - 0.1 - 0.1", "0.9", "there are two"),
        ("1 - 0.1 - 0.1", "0.81", "equal sign"),
    ],
    "test-decay-for": [
        ("rows // batch", "rows / batch", "your epoch has"),
        ("rows // batch", "rows", "is 20"),
        ("1 / (lr * (rows // batch) * epochs)", "1 / ((rows // batch) * epochs)", "is 20"),
        ("rows // batch", "-(-rows // batch)", "your epoch has"),
    ],
    "test-anchored": [
        ("(theta - anchor)", "theta", "weight at 3"),
        ("decayed * ", "", "bias at 3"),
        (
            "lr * (u + weight_decay * decayed * (theta - anchor))",
            "lr * u - weight_decay * decayed * (theta - anchor)",
            "3 is now",
        ),
        ("m = beta1 * m", "g = g + weight_decay * decayed * (theta - anchor)\n    m = beta1 * m", "weight at 3"),
        ("decayed * (theta - anchor)", "(decayed * theta - anchor)", "bias at 3"),
        ("m / (1 - beta1**t) /", "m /", "bias is not where"),
    ],
    "test-excess": [
        ("lr**2 * weight_decay * np.sign(g)", "-(lr**2) * weight_decay * np.sign(g)", "less the right one"),
        ("lr**2 * weight_decay", "lr * weight_decay", "g = (2, -3)"),
        ("np.sign(g)", "g", "g = (2, -3)"),
        ("lr**2 * weight_decay", "0.25 * weight_decay", "on paper"),
    ],
    "test-settled": [
        ("np.sign(g)", "g", "so it is 0.01"),
        ("lr * (np.sign(g) + weight_decay * theta)", "lr * np.sign(g) - weight_decay * theta", "0.19"),
        ("np.sqrt(np.mean(theta**2))", "theta.std()", "0.19"),
        ("np.sqrt(np.mean(theta**2))", "np.mean(np.abs(theta))", "then the root"),
        ("weight_decay * theta", "0 * theta", "0.19"),
    ],
    "test-factor": [
        ("factor = 1.0", "factor = 10**0.5", "the root is not it"),
        ("factor = 1.0", "factor = 10.0", "its size"),
        ("factor = 1.0", "factor = 'none'", "number"),
    ],
    "test-decay": [
        ("(2 * 0.1**2)", "(2 * 0.1)", "root"),
        ("(2 * 0.1**2)", "0.1**2", "factor 2"),
        ("(2 * 0.1**2)", "(4 * 0.1**2)", "solve"),
    ],
}

CAPSTONE = {
    "test-budget": [
        ("np.inf, row.scores)", "np.inf, row.scores)[:, :3]", "five seeds"),
        (ALL, "lrs, scores = lrs[:, 2:6], scores[:, 2:6]", "five learning rates"),
        ("lrs = np.array([row.lrs for row in rows])", "lrs = grid", "lrs has shape"),
        (
            "lrs = np.array([row.lrs for row in rows])",
            "lrs = np.array([grid, np.geomspace(1e-4, 1, 7)])",
            "not equally wide",
        ),
        ("np.inf, row.scores", "np.nan, row.scores", "NaN"),
    ],
    "test-edge": [
        (ALL, "lrs, scores = lrs[:, :4], scores[:, :4]", "highest"),
        (ALL, "lrs, scores = lrs[:, 3:], scores[:, 3:]", "lowest"),
        ("np.where(row.diverged, np.inf, row.scores)", "np.full((7, 5), np.inf)", "every learning rate"),
    ],
    "test-paired": [
        ("np.array([row.seeds for row in rows])", "np.arange(10).reshape(2, 5)", "same seeds"),
        ("np.array([row.seeds for row in rows])", "np.arange(5)", "a row a method"),
        ("np.array([row.seeds for row in rows])", "np.zeros((2, 5), int)", "twice"),
        (
            "np.array([task.evaluate(task.start).train_loss for row in rows])",
            "np.random.default_rng(0).uniform(2, 3, (2, 5))",
            "one start",
        ),
        ("np.where(row.diverged, np.inf, row.scores)", "row.scores[:, :1] + np.zeros(5)", "does a seed"),
    ],
    "test-verdict": [
        ("verdict = lower(tuned[better], tuned[worse])", "verdict = True", "seed by seed"),
        (ALL, 'better, worse, verdict = "NAdam", "Adam", "yes"', "'partly'"),
        ('"NAdam", "Adam"', '"Adam", "Adam"', "the same method"),
        (ALL, 'better, worse, verdict = "the new one", "Adam", False', "names out of"),
    ],
    "test-claim": [
        ("repr(\n", "str(verdict) + repr(\n", "the text of a claim"),
        ("holds=verdict", "holds=True", "last line"),
        ("{pm(tuned[name])}", "{tuned[name].mean():.3f}", "no spread"),
        ("{pm(tuned[name])}", "{pm(tuned[name] + 0.1)}", "best mean"),
    ],
}

WRONG = {
    "1_adagrad": ADAGRAD,
    "2_rmsprop": RMSPROP,
    "3_adam": ADAM,
    "4_amsgrad": AMSGRAD,
    "5_adamw": ADAMW,
    "capstone": CAPSTONE,
}
