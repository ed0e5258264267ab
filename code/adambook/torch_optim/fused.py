"""The fused path of `step`: our Triton kernels on a GPU, torch's own fused kernels on the CPU.

A GPU takes a step for a list of parameters in two launches: one counts the steps and computes what does not differ
within a tensor, one updates every block of every tensor. They read where the tensors lie from a table on the device,
which is made anew only when a tensor has moved. Step counts, tensor learning rates and GradScaler's tensors stay on
the device, so that nothing waits for it and a CUDA graph can capture the step.

Kernels work in the order of the memory. Where parameter, gradient and state do not share it, or leave gaps in it,
copies that do are stepped, one parameter at a time. (torch's kernels on the CPU compute nonsense there.)
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from adambook.torch_optim.base import Group, Optimizer, Row

KERNELS_OF = {"cuda": "triton", "cpu": "torch"}
DTYPES = {
    torch.float32: "float32",
    torch.float64: "float64",
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
}
COMPLEX = {torch.complex64: torch.float32, torch.complex128: torch.float64}
TABLES = 32  # kept for a group: gradients come at few different addresses, if not at the same ones
# What a CUDA graph reads must outlive it, and nobody tells when a graph is gone.
_kept_for_graphs: list[Any] = []


class Kernel(NamedTuple):
    """A rule's name in `kernels`, its numbers, its options, and whether weight decay stays out of the gradient.

    With ``decays`` the rule does the decay itself, and has ``weight_decay`` among its numbers.
    """

    rule: str
    numbers: tuple[float | Tensor, ...]
    flags: tuple[bool, ...] = ()
    decoupled: bool = False
    decays: bool = False


class Columns(NamedTuple):
    """Dense real tensors of one device and dtype: each list has one for every parameter."""

    p: list[Tensor]
    g: list[Tensor]
    step: list[Tensor]  # empty where the rule counts no steps
    state: dict[str, list[Tensor]]
    scalar: list[Tensor]  # one number a parameter that the rule keeps besides, else empty
    begins: bool  # whether a state that the first step defines holds nothing yet


# What can be stepped.


def check(
    kind: type[Optimizer], device: torch.device, dtype: torch.dtype, layout: torch.layout = torch.strided
) -> None:
    """Raise RuntimeError, saying what to do, if ``kind`` has no kernel for such parameters and gradients."""
    if device.type == "meta":
        return  # there is no memory yet; the step looks again
    name, provider = kind.__name__, KERNELS_OF.get(device.type)
    if provider is None:
        problem = f"a parameter on {device}; allowed: cuda, cpu"
    elif dtype not in DTYPES and dtype not in COMPLEX:
        problem = f"a parameter of {dtype}; allowed: {', '.join(map(str, (*DTYPES, *COMPLEX)))}"
    elif not kind.has_kernel(provider):
        problem = (
            f"there is no kernel of {name} for parameters on the {'GPU' if provider == 'triton' else 'CPU'}"
        )
    elif layout is not torch.strided:
        problem = f"a gradient of layout {layout}; allowed: dense ones"
    elif provider == "triton" and not has_triton():
        problem = "the kernels need Triton, which is not installed (on Linux: pip install triton)"
    else:
        return
    raise RuntimeError(f"{name}: fused = True, but {problem}. Use foreach=True, or fused=False")


@functools.cache
def has_triton() -> bool:
    return importlib.util.find_spec("triton") is not None


@functools.cache
def kernels() -> ModuleType:
    return importlib.import_module("adambook.torch_optim.kernels")


# The step.


@torch._disable_dynamo  # type: ignore[attr-defined]  # addresses mean nothing to a compiler
def step(optimizer: Optimizer, rows: list[Row], group: Group) -> None:
    """Take one step for ``rows``, or none where `GradScaler` has found an overflow."""
    found_inf: Tensor | None = getattr(optimizer, "found_inf", None)
    grad_scale: Tensor | None = getattr(optimizer, "grad_scale", None)
    buckets: dict[Any, list[Row]] = {}
    names = optimizer.kept(group)
    for row in rows:
        p, _, state = row
        begins = any([state.get(name) is None for name in names])
        buckets.setdefault((p.device, COMPLEX.get(p.dtype, p.dtype), begins), []).append(row)
    for (device, dtype, begins), bucket in buckets.items():
        on_cpu = KERNELS_OF[device.type] == "torch"
        # On the CPU a look costs nothing. A GPU is waited for where there would be nothing to put into the state.
        if found_inf is not None and (on_cpu or begins) and found_inf.item():
            continue
        scale, overflow = (None if x is None else x.to(device) for x in (grad_scale, found_inf))
        if on_cpu and dtype not in optimizer.right_on_cpu:
            for p, g, state in bucket:
                if scale is not None:
                    g = g.div_(scale) if _writable(g) else g / scale
                optimizer._step_one(p, g, state, optimizer._plain(group), False)
            continue
        for columns in _columns(optimizer, bucket, group, begins, scale is not None):
            if on_cpu:
                _hand_over(optimizer, columns, group, scale)
            else:
                _launch(optimizer, columns, group, scale, overflow)


def _columns(
    optimizer: Optimizer, rows: list[Row], group: Group, begins: bool, unscales: bool
) -> Iterator[Columns]:
    """Yield what can be stepped together, then each misfit as copies that fit, and copy those back."""
    names = [name for name in optimizer.kept(group) if name not in optimizer.scalars]
    others = [name for name in optimizer.scalars if name != "step"]
    together: list[Any] = []
    misfits: list[Any] = []
    for p, g, state in rows:
        if begins:
            state.update({name: torch.empty_like(p) for name in names if state.get(name) is None})
            optimizer.state[p] = state
        for name in optimizer.scalars:
            x = state.get(name)
            if x is not None and (x.is_cpu != p.is_cpu or x.dtype is not torch.float32):
                state[name] = x.to(p.device, torch.float32)
        tensors = [p, g, *[state[name] for name in names]]
        if p.is_complex() or type(p) not in (Tensor, torch.nn.Parameter):
            tensors = [_memory(x) for x in tensors]
        (together if _fits(tensors) else misfits).append((tensors, state))

    def columns(picked: list[Any]) -> Columns:
        p, g, *states = zip(*(tensors for tensors, _ in picked), strict=True)
        steps = [state["step"] for _, state in picked] if optimizer.counts_steps else []
        kept = {name: list(column) for name, column in zip(names, states, strict=True)}
        return Columns(list(p), list(g), steps, kept, [state[name] for name in others for _, state in picked], begins)

    if together:
        yield columns(together)
    for tensors, state in misfits:
        copies = [x.clone(memory_format=torch.contiguous_format) for x in tensors]
        yield columns([(copies, state)])
        for i, (x, copy) in enumerate(zip(tensors, copies, strict=True)):
            if i != 1 or (unscales and _writable(x)):  # else the gradient is as it was
                x.copy_(copy)


def _memory(x: Tensor) -> Tensor:
    """Return the memory of ``x`` as a real tensor: a DTensor's own part, a complex tensor's pairs."""
    x = x.to_local() if hasattr(x, "to_local") else x
    return torch.view_as_real(x.resolve_conj()) if x.is_complex() else x


def _writable(x: Tensor) -> bool:
    """Whether no number of ``x`` stands for several, as in an expanded gradient."""
    return 0 not in x.stride()


def _fits(tensors: list[Tensor]) -> bool:
    """Whether all tensors have the same element at the same place of a memory without gaps."""
    for x in tensors:
        if not x.is_contiguous():
            break
    else:
        return True
    order = _order(tensors[0].shape, tensors[0].stride())
    return order is not None and all(_order(x.shape, x.stride()) == order for x in tensors)


@functools.cache
def _order(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the strides where they matter, or None if elements share memory or leave gaps in it."""
    expected = 1
    for stride, size in sorted(
        (stride, size) for stride, size in zip(strides, shape, strict=True) if size > 1
    ):
        if stride != expected:
            return None
        expected *= size
    return tuple(stride for stride, size in zip(strides, shape, strict=True) if size > 1)


# The CPU.


def _hand_over(optimizer: Optimizer, columns: Columns, group: Group, grad_scale: Tensor | None) -> None:
    if columns.step:
        torch._foreach_add_(columns.step, torch.ones(()), alpha=1)
    optimizer.update_fused_on_cpu(columns, optimizer._plain(group), grad_scale)


# The GPU.


def _launch(
    optimizer: Optimizer, columns: Columns, group: Group, grad_scale: Tensor | None, found_inf: Tensor | None
) -> None:
    library = kernels()
    kernel = optimizer.kernel(group, columns.begins)
    cache = optimizer.__dict__.setdefault("_fused_cache", {}).setdefault(id(group["params"]), {})
    pointers = [columns.p, columns.g, *columns.state.values()]
    table, rows = _table(cache, columns, pointers, library)
    decay, numbers = _numbers(cache, kernel, group, table.device)
    once, n_once = library.ONCE.get(kernel.rule, (None, 0))
    n, width = table.shape
    shared = numbers.new_empty(n, n_once) if once else numbers
    if _captures(table.device):
        _kept_for_graphs.append((table, rows, decay, numbers))
    with torch.cuda.device_of(table):  # type: ignore[no-untyped-call]
        if columns.step:
            library.advance[(n,)](
                table,
                numbers,
                shared,
                found_inf,
                RULE=once,
                N=len(numbers),
                N_ONCE=n_once,
                WIDTH=width,
                SCALAR=bool(columns.scalar),
                num_warps=1,
            )
        if len(rows):
            dtype = DTYPES[columns.p[0].dtype]
            library.update[(len(rows),)](
                table,
                rows,
                decay,
                shared,
                found_inf,
                grad_scale,
                RULE=getattr(library, kernel.rule),
                FLAGS=kernel.flags,
                DECAY=_decay(group, kernel),
                MAXIMIZE=group["maximize"],
                POINTERS=len(pointers),
                WIDTH=width,
                N=n_once or len(numbers),
                STRIDE=n_once,
                TYPE=getattr(library.tl, dtype),
                COMPUTE=library.tl.float64 if dtype == "float64" else library.tl.float32,
                BLOCK=library.BLOCK,
                num_warps=4,
            )


def _decay(group: Group, kernel: Kernel) -> str:
    weight_decay = group.get("weight_decay", 0)
    if kernel.decays or (not isinstance(weight_decay, Tensor) and weight_decay == 0):
        return "none"
    return "decoupled" if kernel.decoupled else "l2"


def _numbers(
    cache: dict[Any, Any], kernel: Kernel, group: Group, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return decay and the rule's numbers on the device; tensors that lie there are copied without a wait."""
    decay = group.get("weight_decay", 0) * (group["lr"] if kernel.decoupled else 1)
    given = [x.item() if isinstance(x, Tensor) and x.is_cpu else x for x in (decay, *kernel.numbers)]
    floats = tuple(0.0 if isinstance(x, Tensor) else float(x) for x in given)
    on_device = [(i, x) for i, x in enumerate(given) if isinstance(x, Tensor)]
    both = _remember(cache, device, "numbers", floats, lambda: _upload(floats, torch.float64, device))
    for i, x in on_device:
        both[i].copy_(x.reshape(()))
    return both[:1], both[1:]


def _table(
    cache: dict[Any, Any], columns: Columns, pointers: list[list[Tensor]], library: ModuleType
) -> tuple[Tensor, Tensor]:
    """Return the table that `kernels.update` describes, and the row of each program."""
    device = columns.p[0].device
    sizes = tuple(p.numel() for p in columns.p)
    steps = [x.data_ptr() for x in columns.step] or [0] * len(sizes)
    scalars = [[x.data_ptr()] for x in columns.scalar] or [[]] * len(sizes)
    addresses = tuple([x.data_ptr() for x in column] for column in pointers)
    programs = [-(-size // library.BLOCK) for size in sizes]

    def table() -> Tensor:
        first, rows = 0, []
        for size, count, step, scalar, *where in zip(
            sizes, programs, steps, scalars, *addresses, strict=True
        ):
            rows.append([size, first, all(address % 16 == 0 for address in where), step, *where, *scalar])
            first += count
        return _upload(rows, torch.int64, device)

    def row_of_program() -> Tensor:
        return _upload(
            torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(programs)), torch.int32, device
        )

    key = (sizes, tuple(steps), *map(tuple, scalars), *map(tuple, addresses))
    return (
        _remember(cache, device, "tables", key, table),
        _remember(cache, device, "rows", sizes, row_of_program),
    )


def _remember(
    cache: dict[Any, Any], device: torch.device, kind: str, key: Any, make: Callable[[], Tensor]
) -> Tensor:
    """Return ``make()``, or what it returned for this key; the oldest of too many is forgotten."""
    entries = cache.setdefault((device, kind), {})
    if key in entries:
        return entries[key]
    made = make()
    if not _captures(device):  # what is captured is empty until the graph is replayed
        if len(entries) >= TABLES:
            del entries[next(iter(entries))]
        entries[key] = made
    return made


def _upload(values: Iterable[Any], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Copy to the device without waiting for it."""
    host = torch.as_tensor(values, dtype=dtype)
    if device.type == "cpu":
        return host
    host = host.pin_memory()
    if _captures(device):
        _kept_for_graphs.append(host)
    return host.to(device, non_blocking=True)


def _captures(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()
