"""AMSGrad, as a torch.optim.Optimizer: Adam with ``amsgrad=True``, under its own name."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from adambook.torch_optim.adam import Adam


class AMSGrad(Adam):
    r"""AMSGrad: Adam whose denominator never shrinks (torch.optim.Adam with amsgrad=True).

    .. math:: v_t^{\max} = \max(v_{t-1}^{\max}, v_t), \qquad
              \theta_t = \theta_{t-1} - \frac{\alpha \, m_t / (1 - \beta_1^t)}
              {\sqrt{v_t^{\max}} / \sqrt{1 - \beta_2^t} + \epsilon}

    with :math:`m_t` and :math:`v_t` as in `Adam`.

    The rule stands in `Adam.update`. Checkpoints interchange with Adam's; one without a maximum starts it.
    The paper has no bias correction and no epsilon; the maximum is over the uncorrected v_t, as in torch.

    Shapes, dtypes and errors: as Adam.
    Source: Reddi, Kale and Kumar (2018), algorithm 2.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
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
            amsgrad=True,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        for group in state.get("param_groups", ()):
            group["amsgrad"] = True
        super().__setstate__(state)
