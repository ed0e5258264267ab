"""Everything around a rule: parameter groups, checks, state, complex numbers, and the three paths of `step`.

A rule (one module each) says which tensors it keeps for a parameter and how one step changes them, twice:
`update` for one parameter, written like the equation, and `update_foreach` for lists of parameters of one
device and dtype, in torch's multi-tensor operations. The third path, ``fused=True``, stands in `fused` and
`kernels`; `kernel` says which of these is the rule. A rule sees the gradient of what is minimized (``maximize``
has turned the sign) and complex parameters as pairs of reals. It may change parameter and state in place, and
never the gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim.optimizer import _use_grad_for_differentiable
from torch.utils._foreach_utils import _get_foreach_kernels_supported_devices

from adambook import _check
from adambook.torch_optim import fused

Group = dict[str, Any]  # a parameter group: its options by name
State = dict[str, Tensor]  # what is kept for one parameter, by name
Lists = dict[str, list[Tensor]]  # the same for many parameters
Row = tuple[Tensor, Tensor, State]  # a parameter, its gradient and its state
Interval = dict[str, Any]  # where a hyper-parameter must lie, as `_check.real` takes it

ANY: Interval = {}
NOT_NEGATIVE: Interval = {"low": 0.0}
FROM_0_BELOW_1: Interval = {"low": 0.0, "high": 1.0, "open_high": True}

SWITCHES = ("foreach", "fused", "maximize", "capturable", "differentiable", "nesterov", "centered", "amsgrad")
# A captured CUDA graph replays what it saw, so there the step count must live on the parameter's device.
CAPTURABLE_DEVICES = ("cuda", "xpu", "hpu", "xla")
# Multi-tensor operations on the CPU round a factor to the tensors' dtype: in bfloat16, 0.999 becomes 1.
ROUNDED_ON_CPU = (torch.bfloat16, torch.float16)
PLAIN = (Tensor, torch.nn.Parameter)
NUMBER = (float, int)  # to ask for these is quicker than to ask for Tensor


class Optimizer(torch.optim.Optimizer):
    """Base of the book's torch optimizers: torch.optim's protocol around a rule of a few lines.

    A subclass sets ``allowed`` (where each of its numbers must lie), ``always_kept``, ``update`` and
    ``update_foreach``, and passes its defaults to ``__init__``. Groups, hooks, schedulers, closures and the
    keys of ``state_dict`` are torch.optim's, so that checkpoints go both ways.

    Shapes and dtypes: any floating or complex; state has its parameter's shape, dtype and strides; ``step``
    is a 0-d float32 tensor on the CPU (on the parameter's device if ``capturable`` or ``fused``). A float16
    parameter whose gradient is squared is stepped in float32, one by one: float16 holds neither the square of
    a small number nor the usual eps, and torch.optim divides 0 by 0 there.

    ``fused=True`` takes a step for all parameters in one or two kernels: on a GPU our own, in Triton, which
    compute in float32 (float64 for float64) whatever the parameters are; on the CPU torch's, where there is one
    and it is right, else the loop. `step` then divides by GradScaler's scale and skips an overflow by itself,
    and like GradScaler leaves the divided gradients in ``.grad``. It excludes ``foreach`` and ``differentiable``.

    Errors: TypeError or ValueError naming parameter, value and range for a bad hyper-parameter, in the
    constructor, a parameter group or a loaded state_dict; RuntimeError there for ``fused`` without a kernel,
    and in `step` for a gradient or state that does not fit. A step checks first and changes afterwards: one
    that raises has changed nothing, or says so.
    """

    allowed: ClassVar[Mapping[str, Interval]]
    always_kept: ClassVar[tuple[str, ...]] = ()  # state that every checkpoint of a run under way holds
    sometimes_kept: ClassVar[tuple[str, ...]] = ()  # state that an option adds
    counts_steps: ClassVar[bool] = True
    uses_t: ClassVar[bool] = True
    takes_sparse: ClassVar[bool] = False
    linear: ClassVar[bool] = False  # in g: complex numbers need no splitting, float16 no wider range
    takes_complex: ClassVar[bool] = True
    scalars: ClassVar[tuple[str, ...]] = ("step",)  # state that is one number, whatever the parameter
    n_betas: ClassVar[int] = 2  # where there are any

    def __init__(self, params: Any, defaults: dict[str, Any], fused: bool | None = None) -> None:
        """Give ``fused`` here where torch.optim's class has no such option, nor have its checkpoints."""
        paths = {"foreach": None, "maximize": False, "differentiable": False}
        defaults = {**paths, **defaults, **({} if fused is None else {"fused": fused})}
        self.check_options(defaults)
        super().__init__(params, defaults)

    # What a rule says.

    def kept(self, group: Group) -> tuple[str, ...]:
        """Return the names of the tensors that the rule keeps for each parameter of ``group``."""
        return self.always_kept

    def kept_of(self, p: Tensor, group: Group) -> tuple[str, ...]:
        """Return the same for ``p`` alone, where that depends on its shape."""
        return self.kept(group)

    def state_shape(self, name: str, p: Tensor) -> tuple[int, ...]:
        """Return the shape of state ``name`` of ``p``."""
        return () if name in self.scalars else tuple(p.shape)

    def initial(self, name: str, p: Tensor, group: Group) -> Tensor | None:
        """Return state ``name`` of ``p`` before the first step; None leaves its creation to `update`."""
        return torch.zeros_like(p, memory_format=torch.preserve_format)

    def update(self, theta: Tensor, g: Tensor, t: Any, state: State, group: Group) -> None:
        """Take step ``t`` (a tensor where autograd or a graph records, else a float), in place."""
        raise NotImplementedError

    def update_foreach(
        self, theta: list[Tensor], g: list[Tensor], t: list[Any], state: Lists, group: Group
    ) -> None:
        """Take the same step for many parameters of one device and dtype, in place."""
        raise NotImplementedError

    right_on_cpu: ClassVar[tuple[torch.dtype, ...]] = tuple(fused.DTYPES)  # by torch's fused kernel

    def kernel(self, group: Group, begins: bool) -> fused.Kernel:
        """Return which function of `kernels` is the rule, and its numbers.

        ``begins``: this step defines the state that `initial` left open.
        """
        raise NotImplementedError

    def update_fused_on_cpu(self, columns: fused.Columns, group: Group, grad_scale: Tensor | None) -> None:
        """Take the step with torch's fused kernel for the CPU."""
        raise NotImplementedError

    @classmethod
    def has_kernel(cls, provider: str) -> bool:
        """Whether the rule has a kernel of ours (``"triton"``) or of torch's for the CPU (``"torch"``)."""
        method = "kernel" if provider == "triton" else "update_fused_on_cpu"
        return getattr(cls, method) is not getattr(Optimizer, method)

    def check_sparse_gradient(self, p: Tensor, group: Group) -> None:
        """Raise RuntimeError if the rule has no meaning for a sparse gradient of ``p`` with these options."""

    def check_parameter(self, p: Tensor) -> None:
        """Raise ValueError if the rule has no meaning for ``p``."""
        if p.is_complex() and not self.takes_complex:
            raise ValueError(
                f"{type(self).__name__}: a complex parameter of shape {tuple(p.shape)}; allowed: real ones. "
                "Use AdamW, or torch.view_as_real of it"
            )

    def added_later(self) -> dict[str, Any]:
        """Return the options that checkpoints of old versions lack, each with the value it then had."""
        return {}

    # Hyper-parameters.

    @classmethod
    def check_options(cls, group: Mapping[str, Any]) -> None:
        """Raise ValueError or TypeError, naming parameter, value and range, if ``group`` holds a bad one."""
        for key, interval in cls.allowed.items():
            if key not in group:
                raise ValueError(
                    f"{cls.__name__} needs {key!r}, which the parameter group lacks; "
                    "is this the state_dict of another optimizer?"
                )
            if key == "betas":
                _check_betas(group[key], interval, cls.n_betas)
            else:
                check_number(key, group[key], interval)
        for key in SWITCHES:
            if not isinstance(group.get(key), bool | None):
                raise TypeError(f"{key} = {group[key]!r} is not a bool; allowed: True, False")
        if group.get("foreach") and group.get("differentiable"):
            raise ValueError(
                "foreach = True with differentiable = True: multi-tensor operations have no gradient; "
                "allowed: one of the two"
            )
        for other in ("foreach", "differentiable"):
            if group.get("fused") and group.get(other):
                raise ValueError(f"fused = True with {other} = True; allowed: one of the two")

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group as torch.optim does, after checking the hyper-parameters of its own."""
        if isinstance(param_group, dict):
            self.check_options({**self.defaults, **param_group})
        super().add_param_group(param_group)
        try:
            for p in self.param_groups[-1]["params"]:
                self.check_parameter(p)
            self._check_fused(self.param_groups[-1])
        except (RuntimeError, ValueError):
            self.param_groups.pop()
            raise

    def _check_fused(self, group: Group) -> None:
        if group.get("fused"):
            for p in group["params"]:
                fused.check(type(self), p.device, p.dtype)

    @property
    def _step_supports_amp_scaling(self) -> bool:
        """Whether GradScaler leaves it to `step` to divide the gradients and to skip an overflow."""
        return all(group.get("fused") for group in self.param_groups)

    # Checkpoints.

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load as torch.optim does, which would round every number but ``step`` to the parameter's dtype."""
        if others := set(self.scalars) - {"step"}:
            states = {
                i: {name: x.item() if name in others and isinstance(x, Tensor) else x for name, x in kept.items()}
                for i, kept in state_dict["state"].items()
            }
            state_dict = {**state_dict, "state": states}
        super().load_state_dict(state_dict)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over a checkpoint, a pickle or a copy, after checking that it is this optimizer's."""
        defaults = {"foreach": None, "maximize": False, "differentiable": False, **self.added_later()}
        for group in state.get("param_groups", ()):
            for key, value in defaults.items():
                group.setdefault(key, value)
            self.check_options(group)
            self._check_fused(group)
            for i, p in enumerate(group["params"]):
                if kept := state["state"].get(p):
                    self._check_loaded(i, p, kept, group)
        super().__setstate__(state)

    def _check_loaded(self, i: int, p: Tensor, kept: dict[str, Any], group: Group) -> None:
        needed = {*self.always_kept, *(("step",) if self.counts_steps else ())}
        known = needed | set(self.sometimes_kept)
        if not needed <= set(kept) <= known:
            raise ValueError(
                f"the state of parameter {i} holds {sorted(kept)}, but {type(self).__name__} keeps "
                f"{sorted(known)}; is this the state_dict of another optimizer?"
            )
        for name, value in kept.items():
            if name in self.scalars:
                if not isinstance(value, Tensor):  # checkpoints of old versions hold a number
                    kept[name] = self._new_step(p, group).add_(value)
            elif isinstance(value, Tensor) and tuple(value.shape) != self.state_shape(name, p):
                raise ValueError(
                    f"the state {name!r} of parameter {i} has shape {tuple(value.shape)}, the parameter "
                    f"{tuple(p.shape)}; is this the state_dict of another model?"
                )

    @staticmethod
    def _new_step(p: Tensor, group: Group) -> Tensor:
        on_device = group.get("capturable") or group.get("fused")
        return torch.zeros((), dtype=torch.float32, device=p.device if on_device else "cpu")

    # The step.

    @_use_grad_for_differentiable
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step for every parameter that has a gradient.

        ``closure``, if given, evaluates the model again, with gradients; its value is returned.
        """
        self._check_graph_capture()
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        # Every gradient and state is checked before anything changes.
        rows = [self._fitting(group) for group in self.param_groups]
        try:
            plans = [self._plan(*pair) for pair in zip(rows, self.param_groups, strict=True)]
            for group, (one_by_one, in_lists) in zip(self.param_groups, plans, strict=True):
                if group.get("fused"):
                    fused.step(self, one_by_one, group)
                    continue
                options, recorded = self._plain(group), _recorded(group)
                for p, g, state in one_by_one:
                    self._step_one(p, g, state, options, recorded)
                for columns in in_lists:
                    self._step_list(columns, options, recorded)
        except Exception as error:
            error.add_note(f"{type(self).__name__}.step was under way; parameters or state may have changed")
            raise
        return loss

    def _plain(self, group: Group) -> Group:
        """Return the group with its numbers as floats; tensors among them as 0-d tensors where recorded."""

        def plain(x: Any) -> Any:
            if isinstance(x, tuple | list):
                return tuple(plain(item) for item in x)
            if isinstance(x, Tensor) and _recorded(group):
                return x.reshape(())
            return float(x)

        return {**group, **{key: plain(group[key]) for key in self.allowed}}

    def _check_graph_capture(self) -> None:
        if "capturable" in self.defaults:
            old, new = "_cuda_graph_capture_health_check", "_accelerator_graph_capture_health_check"
            getattr(self, new if hasattr(self, new) else old)()

    def _fitting(self, group: Group) -> list[Row]:
        """Return parameter, gradient and state wherever there is a gradient; RuntimeError if one does not fit."""
        capturable = group.get("capturable") and not torch.compiler.is_compiling()
        differentiable, states, strided = group["differentiable"], self.state, torch.strided
        scalars = self.scalars
        is_fused, seen = group.get("fused"), set()
        rows: list[Row] = []
        for p in group["params"]:
            g = p.grad
            if g is None:
                continue
            dtype = p.dtype
            if is_fused and (kind := (p.device, dtype, g.layout)) not in seen:
                fused.check(type(self), *kind)
                seen.add(kind)
            if g.layout is not strided:
                if not (self.takes_sparse and g.is_sparse):
                    raise RuntimeError(
                        f"{type(self).__name__} does not take gradients of layout {g.layout}; allowed: dense ones. "
                        "Use SGD, Adagrad or torch.optim.SparseAdam, or build the layer with sparse=False"
                    )
                self.check_sparse_gradient(p, group)
            if g.dtype is not dtype:
                raise RuntimeError(f"a gradient is {g.dtype}, its parameter {dtype}; allowed: the same dtype")
            if capturable and p.device.type not in CAPTURABLE_DEVICES:
                raise RuntimeError(
                    f"capturable = True, a parameter on {p.device}; allowed: {', '.join(CAPTURABLE_DEVICES)}"
                )
            if differentiable and p.is_leaf and p.requires_grad:
                raise RuntimeError(
                    "differentiable = True with a parameter that is a leaf and requires grad, which autograd "
                    "lets nobody change in place; allowed: a clone of it, the gradient in the clone's .grad"
                )
            if state := states.get(p, {}):
                device = p.device
                for name, kept in state.items():
                    if name in scalars or kept is None or (kept.dtype is dtype and kept.device == device):
                        continue
                    raise RuntimeError(
                        f"state {name!r} is {kept.dtype} on {kept.device}, its parameter {dtype} on {device}; "
                        "move and cast a model before building its optimizer, or load the state_dict again"
                    )
            rows.append((p, g, state))
        return rows

    def _plan(self, rows: list[Row], group: Group) -> tuple[list[Row], list[list[list[Tensor]]]]:
        """Create missing state; split ``rows`` into those stepped one by one and those stepped as lists.

        Lists come as columns: parameters, gradients, steps if counted, then each state that the rule keeps. A
        multi-tensor operation takes one dtype, one device, one tensor type and one device mesh.
        """
        first = ("step",) if self.counts_steps else ()
        names = (*first, *self.kept(group))
        varies = type(self).kept_of is not Optimizer.kept_of
        foreach = _uses_foreach([p for p, _, _ in rows], group)
        one_by_one: list[Row] = []
        together: dict[tuple[torch.dtype, torch.device, Any, tuple[str, ...]], list[Row]] = {}
        for row in rows:
            p, g, state = row
            if varies:
                names = (*first, *self.kept_of(p, group))
            suits_lists = foreach and not (self.takes_sparse and g.is_sparse)
            for name in names:
                if state.get(name) is None:
                    created = self._new_step(p, group) if name == "step" else self.initial(name, p, group)
                    if created is None:
                        suits_lists = False
                        state.pop(name, None)
                    else:
                        state[name] = created
                    self.state[p] = state
            if suits_lists:
                kind = None if type(p) in PLAIN else getattr(p, "device_mesh", type(p))
                together.setdefault((p.dtype, p.device, kind, names), []).append(row)
            else:
                one_by_one.append(row)
        in_lists: list[list[list[Tensor]]] = []
        for (dtype, device, _, names), alike in together.items():
            rounds = dtype in ROUNDED_ON_CPU and device.type == "cpu"
            if rounds or (dtype is torch.float16 and not self.linear):
                one_by_one += alike
            else:
                states = [[state[name] for _, _, state in alike] for name in names]
                in_lists.append([[p for p, _, _ in alike], [g for _, g, _ in alike], *states])
        return one_by_one, in_lists

    def _step_one(self, p: Tensor, g: Tensor, state: State, group: Group, recorded: bool) -> None:
        if group["maximize"]:
            g = -g
        if group["differentiable"]:
            # What autograd has saved of the last step must stay as it was.
            for name, value in state.items():
                state[name] = value.clone()
        t: Any = None
        if self.counts_steps:
            step = state["step"]
            if recorded:
                t = step.add_(1)
            else:  # a sum of tensor and number takes four times as long
                t = step.item() + 1
                step.fill_(t)
        dtype = p.dtype
        if self.linear or not (dtype.is_complex or dtype is torch.float16):
            self.update(p, g, t, state, group)
        elif dtype.is_complex:
            state = {name: _pairs(s) for name, s in state.items()}
            self.update(_pairs(p), _pairs(g.resolve_conj()), t, state, group)
        else:
            theta, wide = p.float(), {name: s.float() for name, s in state.items()}
            self.update(theta, g.float(), t, wide, group)
            for narrow, x in ((p, theta), *((s, wide[name]) for name, s in state.items())):
                narrow.copy_(x)

    def _step_list(self, columns: list[list[Tensor]], group: Group, recorded: bool) -> None:
        theta, g, *rest = columns
        t: list[Any] = []
        if self.counts_steps:
            t, *rest = rest
            # On the CPU there is no kernel for the list, and the number 1 would be wrapped anew for each of it.
            if t[0].is_cpu and not torch.compiler.is_compiling():
                torch._foreach_add_(t, torch.ones(()), alpha=1)
            else:
                torch._foreach_add_(t, 1)
            if self.uses_t and not recorded:
                t = [step.item() for step in t]
        if not self.linear and theta[0].is_complex():
            g = [x.resolve_conj() for x in g]
            theta, g, *rest = ([_pairs(x) for x in column] for column in (theta, g, *rest))
        state = dict(zip(self.kept_of(columns[0][0], group), rest, strict=True))
        if group["maximize"]:  # the copy is the rule's alone, which may free it
            self.update_foreach(theta, list(torch._foreach_neg(g)), t, state, group)
        else:
            self.update_foreach(theta, g, t, state, group)


# Pieces of equations that need more than one line because of autograd, graphs or memory.


def nonzero(x: Any) -> bool:
    """Whether a hyper-parameter is not zero; a tensor counts so, as a record must not depend on its value."""
    return x != 0 if isinstance(x, NUMBER) else True


def plus(x: Tensor, factor: Any, y: Tensor) -> Tensor:
    """Return x + factor * y; ``factor`` may be a recorded tensor, whose derivative keeps a y of its own."""
    return x.add(y, alpha=factor) if isinstance(factor, NUMBER) else x + factor * y.clone()


def plus_(x: Tensor, factor: Any, y: Tensor) -> Tensor:
    """x <- x + factor * y; ``factor`` may be a recorded tensor."""
    return x.add_(y, alpha=factor) if isinstance(factor, NUMBER) else x.add_(factor * y)


def lerp_(average: Tensor, x: Tensor, weight: Any) -> Tensor:
    """average <- average + weight (x - average); ``weight`` may be a recorded tensor."""
    return average.lerp_(x, weight if isinstance(weight, NUMBER) else weight.to(average))


def average_squares_(v: Tensor, beta: Any, x: Tensor) -> Tensor:
    """v <- beta v + (1 - beta) x^2; ``beta`` may be a recorded tensor."""
    if isinstance(beta, NUMBER):
        return v.mul_(beta).addcmul_(x, x, value=1 - beta)
    return lerp_(v, x * x, 1 - beta)


def plus_eps(root: Tensor, eps: float) -> Tensor:
    """Return ``root + eps``, in the root's memory unless autograd keeps it for the derivative of the root."""
    return root + eps if torch.is_grad_enabled() else root.add_(eps)


def subtract_ratio_(theta: Tensor, step_size: Any, numerator: Tensor, denominator: Tensor) -> None:
    """theta <- theta - step_size * numerator / denominator; ``step_size`` may be a recorded tensor."""
    if isinstance(step_size, NUMBER):
        theta.addcdiv_(numerator, denominator, value=-step_size)
    else:
        theta.addcdiv_(numerator, denominator / -step_size)


def subtract_foreach_(theta: list[Tensor], lr: Any, x: list[Tensor]) -> None:
    """theta <- theta - lr * x for lists; ``lr`` may be a recorded tensor."""
    if isinstance(lr, Tensor):
        torch._foreach_sub_(theta, torch._foreach_mul(x, lr))
    else:
        torch._foreach_add_(theta, x, alpha=-lr)


def subtract_ratio_foreach_(
    theta: list[Tensor], step_size: Any, numerator: list[Tensor], denominator: list[Tensor]
) -> None:
    """theta <- theta - step_size * numerator / denominator for lists, with one step size or a list of them.

    Overwrites the denominator where ``step_size`` is recorded.
    """
    first = step_size[0] if isinstance(step_size, list) else step_size
    if isinstance(first, Tensor):
        torch._foreach_div_(denominator, torch._foreach_neg(step_size) if first is not step_size else -first)
        torch._foreach_addcdiv_(theta, numerator, denominator)
    elif isinstance(step_size, list):
        torch._foreach_addcdiv_(theta, numerator, denominator, [-s for s in step_size])
    else:
        torch._foreach_addcdiv_(theta, numerator, denominator, value=-step_size)


def average_squares_foreach_(v: list[Tensor], beta: float, x: list[Tensor]) -> None:
    """v <- beta v + (1 - beta) x^2 for lists."""
    torch._foreach_mul_(v, beta)
    torch._foreach_addcmul_(v, x, x, value=1 - beta)


def subtract_ratios_foreach_(
    theta: list[Tensor],
    first: tuple[list[Any], list[Tensor]],
    second: tuple[list[Any], list[Tensor]],
    denominator: list[Tensor],
) -> None:
    """theta <- theta - (a x + b y) / denominator for two pairs (a, x), (b, y); overwrites the denominator last."""
    if isinstance(first[0][0], Tensor):
        sums = list(torch._foreach_mul(first[1], first[0]))
        torch._foreach_add_(sums, torch._foreach_mul(second[1], second[0]))
        torch._foreach_div_(sums, denominator)
        torch._foreach_sub_(theta, sums)
    else:
        for step_sizes, numerator in (first, second):
            subtract_ratio_foreach_(theta, step_sizes, numerator, denominator)


def decayed_foreach(theta: list[Tensor], g: list[Tensor], group: Group) -> list[Tensor]:
    """Return g with L2 added, or, with ``decoupled_weight_decay``, take the decay off theta and return g as it is."""
    if group["weight_decay"] == 0:
        return g
    if not group["decoupled_weight_decay"]:
        return add_l2_foreach(g, theta, group)
    torch._foreach_mul_(theta, 1 - group["lr"] * group["weight_decay"])
    return g


def add_l2_foreach(g: list[Tensor], theta: list[Tensor], group: Group) -> list[Tensor]:
    """Return g + weight_decay * theta, never in the memory of a parameter's own gradient."""
    if group["maximize"]:  # then g is our negated copy
        torch._foreach_add_(g, theta, alpha=group["weight_decay"])
        return g
    return list(torch._foreach_add(g, theta, alpha=group["weight_decay"]))


def maximum_(largest: Tensor, x: Tensor) -> Tensor:
    """largest <- max(largest, x); NaN stays NaN. Autograd needs the old value, and knows no ``out=``."""
    if torch.is_grad_enabled():
        return largest.copy_(torch.maximum(largest.clone(), x))
    return torch.maximum(largest, x, out=largest)


def whole(x: Tensor) -> Tensor:
    """Return all of ``x``: what a DTensor holds on all processes together, else ``x`` itself."""
    full: Tensor = x.full_tensor() if hasattr(x, "full_tensor") else x
    return full


def like(x: Tensor, p: Tensor) -> Tensor:
    """Return ``x``, which every process holds whole, spread over the processes as ``p`` is."""
    if type(p) in PLAIN or not hasattr(p, "device_mesh"):
        return x
    from torch.distributed.tensor import DTensor, Replicate

    mesh, placements = p.device_mesh, getattr(p, "placements")  # noqa: B009  (no attributes of a Tensor)
    return DTensor.from_local(x, mesh, [Replicate()] * mesh.ndim, run_check=False).redistribute(mesh, placements)


# Helpers of the base.


def _pairs(x: Tensor) -> Tensor:
    return torch.view_as_real(x) if x.is_complex() else x


def check_number(name: str, value: object, interval: Interval) -> None:
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise ValueError(
                f"{name} is a tensor of shape {tuple(value.shape)}; allowed: a number, or one element"
            )
        try:
            value = value.item()
        except RuntimeError:  # under torch.func.vmap it stands for many values, none of which can be read
            return
    _check.real(name, value, **interval)


def _check_betas(betas: object, interval: Interval, count: int) -> None:
    if not (isinstance(betas, Sequence) and len(betas) == count):
        kind = {2: "a pair", 3: "a triple"}[count]
        names = ", ".join(f"beta{i + 1}" for i in range(count))
        raise TypeError(f"betas = {betas!r} is not {kind} of numbers; allowed: ({names})")
    for i, beta in enumerate(betas):
        check_number(f"betas[{i}]", beta, interval)
    if len({isinstance(beta, Tensor) for beta in betas}) > 1:
        raise ValueError(f"betas = {betas!r} has a number and a tensor; allowed: only numbers, or only tensors")


def _recorded(group: Group) -> bool:
    """Whether autograd, a CUDA graph or the compiler records the step: then numbers must stay tensors."""
    return bool(group.get("capturable") or group["differentiable"] or torch.compiler.is_compiling())


def _uses_foreach(params: list[Tensor], group: Group) -> bool:
    """Decide as torch.optim: None means lists for plain tensors on devices with multi-tensor kernels."""
    if group.get("fused") or isinstance(group.get("betas", (0.0,))[0], Tensor):
        return False
    if group["foreach"] is not None:
        return bool(group["foreach"])
    if group["differentiable"] or (isinstance(group["lr"], Tensor) and not group.get("capturable")):
        return False
    devices = _get_foreach_kernels_supported_devices()
    return all(type(p) in PLAIN and p.device.type in devices for p in params)
