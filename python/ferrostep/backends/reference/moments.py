"""Rules that divide an average of gradients by the root of an average of squares."""

import math
from collections.abc import Set

import numpy as np

from ferrostep._native import power  # beta**t, correctly rounded; the platform's pow is not
from ferrostep.backends.reference.rule import Array, Options, Rule, States


def adam(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Adam (Kingma & Ba 2014, arXiv:1412.6980, algorithm 1): momentum times RMSProp.

    ``m`` and ``v`` are moving averages of the gradient and of its square.  Both start at 0 and
    are too small at first; the paper divides them by ``1 - beta**t``.  Here these divisions are
    folded into two scalars: ``step`` corrects ``m``, and ``s`` corrects the root of ``v``.
    Without bias correction this is Adam as the lecture first writes it.  (``v`` may be started at
    another value than 0, as federated Adam does: arXiv:2003.00295.)

    ``epsilon_hat`` (end of the paper's section 2; Keras, scikit-learn) puts both corrections
    into the step, which leaves ``eps`` uncorrected.  ``amsgrad`` (Reddi et al. 2018,
    arXiv:1904.09237) divides by the largest ``v`` so far.
    """
    lr, eps, (beta1, beta2) = o["lr"], o["eps"], o["betas"]
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    new = {"exp_avg": m, "exp_avg_sq": v}
    if o["amsgrad"]:
        vmax = state["max_exp_avg_sq"]
        v = np.where(v > vmax, v, vmax)
        new["max_exp_avg_sq"] = v

    step, s = lr, 1.0
    if o["bias_correction"] and o["epsilon_hat"]:
        step = lr * math.sqrt(1 - power(beta2, t)) / (1 - power(beta1, t))
    elif o["bias_correction"]:
        step = lr / (1 - power(beta1, t))
        s = 1 / math.sqrt(1 - power(beta2, t))
    return p - (step * m) / (np.sqrt(v) * s + eps), new


RULES: dict[str, Rule] = {
    "Adam": adam,
    "AdamW": adam,  # the same rule; its weight decay is decoupled, see update()
}
