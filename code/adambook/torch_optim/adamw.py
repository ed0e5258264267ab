"""AdamW, as a torch.optim.Optimizer: Adam whose weight decay stays out of the gradient."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from adambook.torch_optim.adam import Adam


class AdamW(Adam):
    r"""AdamW: Adam with the weight decay taken out of the gradient (torch.optim.AdamW).

    .. math:: \theta_t = (1 - \alpha \lambda) \theta_{t-1} - \frac{\alpha \, m_t / (1 - \beta_1^t)}
              {\sqrt{v_t} / \sqrt{1 - \beta_2^t} + \epsilon}

    with :math:`m_t` and :math:`v_t` as in `Adam`, from :math:`g_t = \nabla f_t(\theta_{t-1})` alone.

    The rule stands in `Adam.update`. The decay is :math:`\alpha \lambda`, as in torch; in the paper it is
    :math:`\lambda` times the schedule's multiplier, without :math:`\alpha`. ``amsgrad`` as in `Adam`.

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
