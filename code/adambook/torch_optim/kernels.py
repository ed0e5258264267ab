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


ONCE = {"adagrad": (adagrad_once, 2), "adam": (adam_once, 6), "amsgrad": (adam_once, 6)}


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
        values = RULE(t.to(tl.float64), scalars(numbers, N, tl.float64))
        for i in tl.static_range(N_ONCE):
            tl.store(once + row * N_ONCE + i, values[i])


@triton.jit
def update(
    table,  # int64, a row a tensor: elements, first program, whether aligned, pointers of step, p, g and state
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
