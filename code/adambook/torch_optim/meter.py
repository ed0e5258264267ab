"""What a piece of torch code costs: operations, bytes moved and temporary memory, counted and not timed."""

from __future__ import annotations

from collections import Counter
from typing import Any

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Meter(TorchDispatchMode):
    """Counts what torch does inside a ``with`` block.

    ``operations`` and ``moved`` say for each of torch's operations how often it ran, and how many bytes it read
    and wrote if each of its tensors passes once between memory and processor. ``temporary`` is the most memory,
    in bytes, that tensors made inside the block held at any one time. Nothing is timed: on every machine the
    same code gives the same numbers.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: Counter[str] = Counter()
        self.moved: Counter[str] = Counter()
        self.temporary = 0
        self._alive: dict[StorageWeakRef, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {argument.name: value for argument, value in zip(func._schema.arguments, args, strict=False)}
        given |= kwargs or {}
        out = func(*args, **(kwargs or {}))
        if func.is_view or func.namespace != "aten":  # the same memory in another shape; notes for a profiler
            return out
        written = [
            given[argument.name]
            for argument in func._schema.arguments
            if argument.name in given
            and argument.is_write
            # A fused kernel writes gradients only where it unscales them.
            and not (argument.name == "grads" and given.get("grad_scale") is None)
        ]
        if not written:
            written = [out]
            self._keep(out)
        name = func._schema.name.removeprefix("aten::")
        self.operations[name] += 1
        self.moved[name] += _bytes(given) + _bytes(written)
        return out

    def _keep(self, made: Any) -> None:
        self._alive = {storage: size for storage, size in self._alive.items() if not storage.expired()}  # type: ignore[no-untyped-call]
        for tensor in _tensors(made):
            storage = tensor.untyped_storage()
            self._alive[StorageWeakRef(storage)] = storage.nbytes()  # type: ignore[no-untyped-call]
        self.temporary = max(self.temporary, sum(self._alive.values()))


def _tensors(nested: Any) -> list[Tensor]:
    """Return every tensor in ``nested`` once."""
    return list({id(x): x for x in tree_leaves(nested) if isinstance(x, Tensor)}.values())


def _bytes(nested: Any) -> int:
    return sum(x.numel() * x.element_size() for x in _tensors(nested))
