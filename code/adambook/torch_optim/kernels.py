"""The fused step as Triton kernels: one template for all rules, and each rule as a function of a few lines.

To add a rule, write it as a function of a block of parameters, its gradient, its state and its numbers that returns
the new parameters and state, like those below. What is the same for a whole tensor but changes with t goes into a
second function, listed in `ONCE` with how many numbers it returns. Name the rule and its numbers in the optimizer's
`kernel`; loads, types, weight decay, loss scales and ragged ends are the template's.

Import this module only where a fused step is taken: it needs Triton. Arithmetic is in float32, for float64 parameters
in float64, numbers of a rule come out of float64. Division and root are rounded correctly, as torch's are: Triton's
own are approximations in float32.
"""

# mypy: ignore-errors
# Triton compiles these functions, and its language has no types.

import triton
import triton.language as tl

BLOCK = 1024  # parameters a program; with 4 warps, two loads of 16 bytes a thread and tensor in float32

# Arithmetic.


@triton.jit
def root(x):
    if x.dtype == tl.float64:
        return tl.sqrt(x)
    else:
        return tl.sqrt_rn(x)


@triton.jit
def ratio(a, b):
    if b.dtype == tl.float64:
        return a / b
    else:
        return tl.div_rn(a, b)


@triton.jit
def power(beta, t):
    """beta^t for 0 <= beta < 1: zero becomes the smallest number with a logarithm, which vanishes beside 1."""
    return tl.exp2(t * tl.log2(tl.maximum(beta, 1e-300)))


# The rules.


@triton.jit
def sgd(theta, g, state, numbers, FLAGS: tl.constexpr):
    (lr,) = numbers
    return theta - lr * g, state


@triton.jit
def momentum(theta, g, state, numbers, FLAGS: tl.constexpr):
    lr, mu, rest = numbers  # rest = 1 - tau
    (b,) = state
    NESTEROV: tl.constexpr = FLAGS[0]
    FIRST: tl.constexpr = FLAGS[1]
    if FIRST:
        b = g
    else:
        b = mu * b + rest * g
    if NESTEROV:
        g = g + mu * b
    else:
        g = b
    return theta - lr * g, (b,)


@triton.jit
def adagrad_once(t, numbers):
    lr, lr_decay, eps = numbers
    return lr / (1 + (t - 1) * lr_decay), eps


@triton.jit
def adagrad(theta, g, state, numbers, FLAGS: tl.constexpr):
    step_size, eps = numbers
    (v,) = state
    v += g * g
    return theta - step_size * ratio(g, root(v) + eps), (v,)


@triton.jit
def rmsprop(theta, g, state, numbers, FLAGS: tl.constexpr):
    lr, beta, rest, mu, eps = numbers  # rest = 1 - beta
    CENTERED: tl.constexpr = FLAGS[0]
    MOMENTUM: tl.constexpr = FLAGS[1]
    v = beta * state[0] + rest * g * g
    result = (v,)
    s = v
    if CENTERED:
        n = state[-1]
        n += rest * (g - n)
        s = v - n * n
    step = ratio(g, root(s) + eps)
    if MOMENTUM:
        step += mu * state[1]
        result = result + (step,)
    if CENTERED:
        result = result + (n,)
    return theta - lr * step, result


@triton.jit
def adam_once(t, numbers):
    lr, beta1, beta2, eps = numbers
    return lr / (1 - power(beta1, t)), tl.sqrt(1 - power(beta2, t)), 1 - beta1, beta2, 1 - beta2, eps


@triton.jit
def adam(theta, g, state, numbers, FLAGS: tl.constexpr):
    step_size, correction, rest1, beta2, rest2, eps = numbers
    m, v = state
    m += rest1 * (g - m)
    v = beta2 * v + rest2 * g * g
    return theta - step_size * ratio(m, ratio(root(v), correction) + eps), (m, v)


@triton.jit
def amsgrad(theta, g, state, numbers, FLAGS: tl.constexpr):
    step_size, correction, rest1, beta2, rest2, eps = numbers
    m, v, largest = state
    m += rest1 * (g - m)
    v = beta2 * v + rest2 * g * g
    largest = tl.maximum(largest, v, propagate_nan=tl.PropagateNan.ALL)
    return theta - step_size * ratio(m, ratio(root(largest), correction) + eps), (m, v, largest)


@triton.jit
def nadam_once(t, numbers, product):
    lr, beta1, beta2, eps, psi = numbers
    mu = beta1 * (1 - 0.5 * tl.exp2(t * psi * -0.058893689053568565))  # log2(0.96)
    mu_next = beta1 * (1 - 0.5 * tl.exp2((t + 1) * psi * -0.058893689053568565))
    product = (product.to(tl.float32) * mu.to(tl.float32)).to(tl.float64)  # as it is kept
    of_g = lr * (1 - mu) / (1 - product)
    of_m = lr * mu_next / (1 - product * mu_next)
    return of_g, of_m, 1 - power(beta2, t), 1 - beta1, beta2, 1 - beta2, eps, product


@triton.jit
def nadam(theta, g, state, numbers, FLAGS: tl.constexpr):
    of_g, of_m, correction, rest1, beta2, rest2, eps = numbers
    m, v = state
    m += rest1 * (g - m)
    v = beta2 * v + rest2 * g * g
    return theta - ratio(of_g * g + of_m * m, root(ratio(v, correction)) + eps), (m, v)


@triton.jit
def radam_once(t, numbers):
    lr, beta1, beta2, eps = numbers
    decay = power(beta2, t)
    limit = 2 / (1 - beta2) - 1
    length = limit - 2 * t * decay / (1 - decay)
    low, high = tl.maximum(length, 5.0), tl.maximum(limit, 5.0)  # no root of a negative number where it is not wanted
    r = tl.sqrt((low - 4) * (low - 2) * high / ((high - 4) * (high - 2) * low))
    r = tl.where(length > 5, r * tl.sqrt(1 - decay), 0.0)
    return lr / (1 - power(beta1, t)), r, 1 - beta1, beta2, 1 - beta2, eps


@triton.jit
def radam(theta, g, state, numbers, FLAGS: tl.constexpr):
    step_size, r, rest1, beta2, rest2, eps = numbers
    m, v = state
    m += rest1 * (g - m)
    v = beta2 * v + rest2 * g * g
    step = step_size * m
    return theta - tl.where(r > 0, ratio(step * r, root(v) + eps), step), (m, v)


@triton.jit
def adamax_once(t, numbers):
    lr, beta1, beta2, eps = numbers
    return lr / (1 - power(beta1, t)), 1 - beta1, beta2, eps


@triton.jit
def adamax(theta, g, state, numbers, FLAGS: tl.constexpr):
    step_size, rest1, beta2, eps = numbers
    m, u = state
    m += rest1 * (g - m)
    u = tl.maximum(beta2 * u, tl.abs(g) + eps, propagate_nan=tl.PropagateNan.ALL)
    return theta - step_size * ratio(m, u), (m, u)


@triton.jit
def adadelta(theta, g, state, numbers, FLAGS: tl.constexpr):
    lr, rho, rest, eps = numbers  # rest = 1 - rho
    v, u = state
    v = rho * v + rest * g * g
    step = ratio(root(u + eps), root(v + eps)) * g
    u = rho * u + rest * step * step
    return theta - lr * step, (v, u)


@triton.jit
def sign(x):
    """-1, 0 or 1; NaN for what is not finite."""
    return tl.where(x > 0, 1.0, tl.where(x < 0, -1.0, 0.0)).to(x.dtype) + (x - x)


@triton.jit
def lion(theta, g, state, numbers, FLAGS: tl.constexpr):
    lr, rest1, rest2 = numbers  # 1 - beta1, 1 - beta2
    (m,) = state
    theta -= lr * sign(m + rest1 * (g - m))
    return theta, (m + rest2 * (g - m),)


@triton.jit
def adabound_once(t, numbers):
    lr, beta1, beta2, final_lr, gamma, eps = numbers
    low = final_lr * (1 - 1 / (gamma * t + 1))
    high = final_lr * (1 + 1 / (gamma * t))
    step_size = lr * tl.sqrt(1 - power(beta2, t)) / (1 - power(beta1, t))
    return step_size, low, high, 1 - beta1, beta2, 1 - beta2, eps


@triton.jit
def adabound(theta, g, state, numbers, FLAGS: tl.constexpr):
    step_size, low, high, rest1, beta2, rest2, eps = numbers
    m, v = state
    m += rest1 * (g - m)
    v = beta2 * v + rest2 * g * g
    clipped = tl.maximum(ratio(step_size, root(v) + eps), low, propagate_nan=tl.PropagateNan.ALL)
    return theta - tl.minimum(clipped, high, propagate_nan=tl.PropagateNan.ALL) * m, (m, v)


@triton.jit
def adan_once(t, numbers):
    lr, beta1, beta2, beta3, eps, weight_decay = numbers
    of_m, of_d = lr / (1 - power(beta1, t)), lr * beta2 / (1 - power(beta2, t))
    correction, shrink = tl.sqrt(1 - power(beta3, t)), 1 + lr * weight_decay
    later = tl.where(t > 1, 1.0, 0.0)
    return later, of_m, of_d, correction, shrink, 1 - beta1, beta2, 1 - beta2, beta3, 1 - beta3, eps


@triton.jit
def adan(theta, g, state, numbers, FLAGS: tl.constexpr):
    later, of_m, of_d, correction, shrink, rest1, beta2, rest2, beta3, rest3, eps = numbers
    m, d_mean, n, before = state
    d = (g - before) * later
    m += rest1 * (g - m)
    d_mean += rest2 * (d - d_mean)
    ahead = g + beta2 * d
    n = beta3 * n + rest3 * ahead * ahead
    theta -= ratio(of_m * m + of_d * d_mean, ratio(root(n), correction) + eps)
    return ratio(theta, shrink), (m, d_mean, n, g)


@triton.jit
def sophia(theta, g, state, numbers, FLAGS: tl.constexpr):
    lr, rest, rho, smallest = numbers  # rest = 1 - beta1
    m, h = state
    SIGNED: tl.constexpr = FLAGS[0]
    m += rest * (g - m)
    curvature = h
    if SIGNED:
        curvature = tl.maximum(h, 0.0, propagate_nan=tl.PropagateNan.ALL)
    length = tl.minimum(ratio(tl.abs(m), rho * curvature + smallest), 1.0, propagate_nan=tl.PropagateNan.ALL)
    return theta - lr * tl.where(m < 0, -length, length), (m, h)


@triton.jit
def schedule_free_sgd_once(t, numbers):
    lr, share = numbers
    return 1 / t, lr * (1 - share * (1 - 1 / t)), lr


@triton.jit
def schedule_free_sgd(theta, g, state, numbers, FLAGS: tl.constexpr):
    weight, of_y, lr = numbers
    (z,) = state
    return theta + weight * (z - theta) - of_y * g, (z - lr * g,)


@triton.jit
def schedule_free_adamw_once(t, numbers):
    lr, share, beta2, eps, weight_decay = numbers
    of_y, correction = lr * (1 - share * (1 - 1 / t)), tl.sqrt(1 - power(beta2, t))
    return 1 / t, of_y, lr, correction, beta2, 1 - beta2, eps, weight_decay


@triton.jit
def schedule_free_adamw(theta, g, state, numbers, FLAGS: tl.constexpr):
    weight, of_y, lr, correction, beta2, rest2, eps, weight_decay = numbers
    z, v = state
    v = beta2 * v + rest2 * g * g
    u = ratio(g, ratio(root(v), correction) + eps) + weight_decay * theta
    return theta + weight * (z - theta) - of_y * u, (z - lr * u, v)


# What does not differ within a tensor: the function, and how many numbers it returns (besides one that is kept).
ONCE = {
    "adagrad": (adagrad_once, 2),
    "adam": (adam_once, 6),
    "amsgrad": (adam_once, 6),
    "nadam": (nadam_once, 7),
    "radam": (radam_once, 6),
    "adamax": (adamax_once, 4),
    "adabound": (adabound_once, 7),
    "adan": (adan_once, 11),
    "schedule_free_sgd": (schedule_free_sgd_once, 3),
    "schedule_free_adamw": (schedule_free_adamw_once, 8),
}


# The template.


@triton.jit
def scalars(pointer, N: tl.constexpr, TYPE: tl.constexpr):
    values = ()
    for i in tl.static_range(N):
        values = values + (tl.load(pointer + i).to(TYPE),)
    return values


@triton.jit
def advance(
    table,
    numbers,
    once,
    found_inf,
    RULE: tl.constexpr,
    N: tl.constexpr,
    N_ONCE: tl.constexpr,
    WIDTH: tl.constexpr,
    SCALAR: tl.constexpr,
):
    """Count one step of a tensor, unless gradients overflowed, and compute what its blocks share."""
    row = tl.program_id(0)
    step = tl.load(table + row * WIDTH + 3).to(tl.pointer_type(tl.float32))
    t = tl.load(step) + 1
    if found_inf is None:
        tl.store(step, t)
    else:
        tl.store(step, t, mask=tl.load(found_inf) == 0)
    if RULE is not None:
        if SCALAR:
            kept = tl.load(table + row * WIDTH + WIDTH - 1).to(tl.pointer_type(tl.float32))
            values = RULE(t.to(tl.float64), scalars(numbers, N, tl.float64), tl.load(kept).to(tl.float64))
            value = values[N_ONCE].to(tl.float32)
            if found_inf is None:
                tl.store(kept, value)
            else:
                tl.store(kept, value, mask=tl.load(found_inf) == 0)
        else:
            values = RULE(t.to(tl.float64), scalars(numbers, N, tl.float64))
        for i in tl.static_range(N_ONCE):
            tl.store(once + row * N_ONCE + i, values[i])


@triton.jit
def update(
    table,  # int64, a row a tensor: elements, first program, whether aligned, pointers of step, p, g, state (number)
    rows,  # int32: the row of each program
    decay,  # float64: weight_decay, times lr if decoupled
    numbers,  # float64: the rule's, a row a tensor, or one for all
    found_inf,  # float32, or None
    grad_scale,  # float32, or None
    RULE: tl.constexpr,
    FLAGS: tl.constexpr,
    DECAY: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    POINTERS: tl.constexpr,
    WIDTH: tl.constexpr,
    N: tl.constexpr,
    STRIDE: tl.constexpr,
    TYPE: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Take the step for one block of one tensor."""
    program = tl.program_id(0)
    row = tl.load(rows + program)
    entry = table + row * WIDTH
    size = tl.load(entry)
    if found_inf is not None:
        size = tl.where(tl.load(found_inf) == 0, size, 0)  # after an overflow, nothing is left to do
    start = (program - tl.load(entry + 1)) * BLOCK
    # Only a whole block at an address that 16 divides may be moved in words of 16 bytes.
    if (tl.load(entry + 2) != 0) & (start + BLOCK <= size):
        offset = start + tl.arange(0, BLOCK)
        block(
            entry, offset, None, decay, numbers + row * STRIDE, grad_scale,
            RULE, FLAGS, DECAY, MAXIMIZE, POINTERS, N, TYPE, COMPUTE, 16,
        )  # fmt: skip
    else:
        offset = start + tl.arange(0, BLOCK)
        block(
            entry, offset, offset < size, decay, numbers + row * STRIDE, grad_scale,
            RULE, FLAGS, DECAY, MAXIMIZE, POINTERS, N, TYPE, COMPUTE, 1,
        )  # fmt: skip


@triton.jit
def block(
    entry,
    offset,
    mask,
    decay,
    numbers,
    grad_scale,
    RULE: tl.constexpr,
    FLAGS: tl.constexpr,
    DECAY: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    POINTERS: tl.constexpr,
    N: tl.constexpr,
    TYPE: tl.constexpr,
    COMPUTE: tl.constexpr,
    DIVISOR: tl.constexpr,
):
    pointers = ()
    for i in tl.static_range(POINTERS):
        start = tl.load(entry + 4 + i).to(tl.pointer_type(TYPE))
        pointers = pointers + (tl.multiple_of(start, DIVISOR) + offset,)
    values = ()
    for i in tl.static_range(POINTERS):
        values = values + (tl.load(pointers[i], mask=mask).to(COMPUTE),)
    theta = values[0]
    g = values[1]
    if grad_scale is not None:
        # In place, as GradScaler does it for every other optimizer.
        g = ratio(g, tl.load(grad_scale).to(COMPUTE))
        tl.store(pointers[1], g.to(TYPE), mask=mask)
    if MAXIMIZE:
        g = -g
    if DECAY == "l2":
        g += tl.load(decay).to(COMPUTE) * theta
    if DECAY == "decoupled":
        theta -= tl.load(decay).to(COMPUTE) * theta
    theta, state = RULE(theta, g, values[2:], scalars(numbers, N, COMPUTE), FLAGS)
    tl.store(pointers[0], theta.to(TYPE), mask=mask)
    for i in tl.static_range(2, POINTERS):
        tl.store(pointers[i], state[i - 2].to(TYPE), mask=mask)
