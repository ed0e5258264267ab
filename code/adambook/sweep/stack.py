"""The models of a sweep as one: parameters (points, seeds, d), and the gradient of all of them at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._pytree import tree_map

from adambook.sweep.task import Task

NOISE, MEASURE = range(201, 203)  # what a random stream is for


class WithLoss(nn.Module):
    """A model whose forward pass is a task's loss, which may call any of the model's methods."""

    def __init__(self, task: Task, model: nn.Module) -> None:
        super().__init__()
        self.model, self.loss = model, task.loss

    def forward(self, batch: Any) -> Tensor:
        loss = self.loss(self.model, batch)
        if loss.numel() != 1:
            raise ValueError(f"loss returned shape {tuple(loss.shape)}; allowed: one number")
        return loss.reshape(())


class Stack:
    """One model for each point of a grid and each seed.

    ``theta`` (points, seeds, d) holds the parameters in the order of ``model.parameters()``, d of them that are
    trained; ``start`` (seeds, d) where they began. All points see the same batches and the same noise; noise is
    a function of the step and of all seeds, so the seeds of a sweep are never divided.
    """

    def __init__(self, task: Task, points: int, seeds: Sequence[int], device: torch.device) -> None:
        self.task, self.seeds, self.device = task, tuple(seeds), device
        models = [build_model(task, seed).to(device) for seed in seeds]
        self.model = models[0]
        named = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        self.shapes = {name: p.shape for name, p in named.items()}
        self.sizes = [p.numel() for p in named.values()]
        tensors = [tensors_of(model) for model in models]
        self.start = torch.stack([torch.cat([of[name].flatten() for name in named]) for of in tensors])
        self.fixed = {name: torch.stack([of[name] for of in tensors]) for name in tensors[0] if name not in named}
        self.theta = self.start.expand(points, *self.start.shape).clone()

        self.with_loss = WithLoss(task, self.model)
        self._one = grad_and_value(self._loss)
        of_seed = vmap(self._one, in_dims=(0, 0, 0), randomness="different")
        self._all = vmap(of_seed, in_dims=(0, None, None), randomness="same")

    def gradient(self, t: int) -> tuple[Tensor, Tensor]:
        """Return the gradient (points, seeds, d) and the loss (points, seeds) of the batch of step t."""
        self.model.train()
        batches = [tree_map(self._move, self.task.batch(seed, t)) for seed in self.seeds]
        if self.task.stacked:
            self.seed_noise(NOISE, t, *self.seeds)
            stacked = tree_map(lambda *leaves: torch.stack(leaves), *batches)
            grad, loss = self._all(self.theta, self.fixed, stacked)
            return grad, loss
        grads, losses = [], []
        for point in self.theta:
            self.seed_noise(NOISE, t, *self.seeds)
            for i, row in enumerate(point):
                fixed = {name: each[i] for name, each in self.fixed.items()}
                grad, loss = self._one(row, fixed, batches[i])
                grads.append(grad)
                losses.append(loss)
        return torch.stack(grads).view_as(self.theta), torch.stack(losses).view(self.theta.shape[:-1])

    def member(self, row: Tensor, seed: int) -> nn.Module:
        """Return a model of its own whose parameters are views of ``row`` (d,), of the seed at that place."""
        model = deepcopy(self.model)
        owners = dict(self.views(row))
        for name, p in model.named_parameters():
            p.data = owners[name] if name in owners else self.fixed[name][seed]
        for name, buffer in model.named_buffers():
            if name in self.fixed:
                buffer.copy_(self.fixed[name][seed])
        return model

    @torch.no_grad()
    def measure(self, row: Tensor, seed: int) -> dict[str, float]:
        """Return the task's metrics of the parameters ``row`` (d,) of the seed at that place."""
        self.seed_noise(MEASURE, self.seeds[seed])
        model = self.member(row, seed)
        norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
        if norms and self.task.inputs is not None:
            for norm in norms:
                norm.track_running_stats, norm.momentum = True, 1.0
                norm.register_buffer("running_mean", torch.zeros(norm.num_features).to(row))
                norm.register_buffer("running_var", torch.ones(norm.num_features).to(row))
                norm.register_buffer("num_batches_tracked", torch.tensor(0))
            for module in model.modules():
                module.training = isinstance(module, _BatchNorm)
            model(self._move(self.task.inputs))
        model.eval()
        return {name: float(value) for name, value in self.task.metrics(model).items()}

    def seed_noise(self, *key: int) -> None:
        """Seed the device's generator (torch.manual_seed also notes whence it was called, which takes longer)."""
        seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def views(self, row: Tensor) -> Iterable[tuple[str, Tensor]]:
        parts = zip(self.shapes.items(), torch.split(row, self.sizes), strict=True)
        return ((name, part.view(shape)) for (name, shape), part in parts)

    def _loss(self, row: Tensor, fixed: dict[str, Tensor], batch: Any) -> Tensor:
        tensors = {f"model.{name}": x for name, x in (*self.views(row), *fixed.items())}
        return functional_call(self.with_loss, tensors, (batch,))

    def _move(self, x: Tensor) -> Tensor:
        return x.to(self.device, self.start.dtype if x.is_floating_point() else x.dtype)


def build_model(task: Task, seed: int) -> nn.Module:
    """Return the seed's model, whose batch norms keep no running statistics; leaves torch's generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = task.model(seed)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.track_running_stats = False
            module.running_mean = module.running_var = module.num_batches_tracked = None
    return model


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: x.detach() for name, x in (*model.named_parameters(), *model.named_buffers())}
