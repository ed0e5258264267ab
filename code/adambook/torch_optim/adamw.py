"""AdamW, as a torch.optim.Optimizer: Adam whose weight decay stays out of the gradient."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from adambook.torch_optim.adam import Adam


class AdamW(Adam):
    """AdamW: Adam with the weight decay taken out of the gradient (torch.optim.AdamW).

        g_t = grad f_t(theta_{t-1})
        m_t = beta1 m_{t-1} + (1 - beta1) g_t
        v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
        theta_t = (1 - alpha lambda) theta_{t-1}
                  - alpha m_t / (1 - beta1^t) / (sqrt(v_t / (1 - beta2^t)) + epsilon)

    The rule stands in `Adam.update`. The decay is alpha lambda, as in torch; in the paper it is
    lambda times the schedule's multiplier, without alpha. ``amsgrad`` as in Adam.

    Shapes, dtypes and errors: as Adam.
    Source: Loshchilov and Hutter (2019), algorithm 2.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        for group in state.get("param_groups", ()):
            group["decoupled_weight_decay"] = True
        super().__setstate__(state)
