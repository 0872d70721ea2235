"""The papers' own letters and numbers; an argument without a default has none in the paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ferrostep import optimizers
from ferrostep.options import invalid, non_negative
from ferrostep.presets.functions import functions
from ferrostep.presets.row import Computed, Library, Row, by_name
from ferrostep.schema import REQUIRED

PAPERS = Library(
    "The paper's",
    "papers",
    named={"betas": ("beta1", "beta2"), "eps": "epsilon"},
    by_name=True,
)
BETAS = {"beta1": 0.9, "beta2": 0.999}
NO_EPSILON = "The paper has no epsilon, and divides 0 by 0 where all gradients were 0."


def _per_rate(given: Mapping[str, Any]) -> float:
    """Their decay is beside the learning rate, ours is multiplied by it."""
    alpha = non_negative("alpha", given["alpha"])
    decay = non_negative("weight_decay", given["weight_decay"])
    if decay and not alpha:
        raise invalid("alpha", given["alpha"], "must be > 0 with weight_decay")
    return decay and decay / alpha


def _squared(given: Mapping[str, Any]) -> float:
    return non_negative("tau", given["tau"]) ** 2


ROWS = by_name(
    Row(
        PAPERS,
        "Momentum",
        optimizers.Momentum,
        {"epsilon": REQUIRED, "mu": REQUIRED},
        named={"lr": "epsilon", "momentum": "mu"},
        note="Sutskever, Martens, Dahl & Hinton 2013, equations 1 and 2 (Polyak's momentum).",
    ),
    Row(
        PAPERS,
        "NAG",
        optimizers.Momentum,
        {"epsilon": REQUIRED, "mu": REQUIRED},
        fixed={"nesterov": True},
        named={"lr": "epsilon", "momentum": "mu"},
        note=(
            "Sutskever, Martens, Dahl & Hinton 2013, equations 3 and 4. The parameters here are "
            "the points that the gradient is taken at, the paper's ``theta + mu*v``."
        ),
    ),
    Row(
        PAPERS,
        "IRpropMinus",
        optimizers.Rprop,
        {
            "delta_0": 0.1,
            "eta_minus": 0.5,
            "eta_plus": 1.2,
            "delta_min": 1e-6,
            "delta_max": 50.0,
        },
        named={
            "lr": "delta_0",
            "etas": ("eta_minus", "eta_plus"),
            "step_sizes": ("delta_min", "delta_max"),
        },
        note=(
            "Igel & Huesken 2000, with the numbers of Riedmiller & Braun 1993. Their own Rprop "
            "takes steps back where a sign turns, which no option does."
        ),
    ),
    Row(
        PAPERS,
        "RMSProp",
        optimizers.RMSprop,
        {"learning_rate": REQUIRED, "decay": 0.9, "epsilon": 1e-8},
        named={"lr": "learning_rate", "alpha": "decay"},
        note=f"Hinton 2012, lecture 6e. {NO_EPSILON}",
    ),
    Row(
        PAPERS,
        "AdaGrad",
        optimizers.Adagrad,
        {"eta": REQUIRED, "delta": REQUIRED},
        named={"lr": "eta", "eps": "delta"},
        note="Duchi, Hazan & Singer 2011, figure 1, with diagonal matrices.",
    ),
    Row(
        PAPERS,
        "AdaDelta",
        optimizers.Adadelta,
        {"rho": 0.95, "epsilon": 1e-6},
        fixed={"lr": 1.0},
        note="Zeiler 2012, algorithm 1.",
    ),
    Row(
        PAPERS,
        "Adam",
        optimizers.Adam,
        {"alpha": 1e-3, **BETAS, "epsilon": 1e-8},
        named={"lr": "alpha"},
        note="Kingma & Ba 2014, algorithm 1 (epsilon-hat is in their section 2).",
    ),
    Row(
        PAPERS,
        "AMSGrad",
        optimizers.Adam,
        {"alpha": REQUIRED, **BETAS, "epsilon": 1e-8},
        fixed={"amsgrad": True, "bias_correction": False},
        named={"lr": "alpha"},
        note=f"Reddi, Kale & Kumar 2018, algorithm 2. {NO_EPSILON}",
    ),
    Row(
        PAPERS,
        "AdamW",
        optimizers.AdamW,
        {"alpha": 1e-3, **BETAS, "epsilon": 1e-8, "weight_decay": REQUIRED},
        named={"lr": "alpha", "weight_decay": Computed("weight_decay/alpha", _per_rate)},
        note=(
            "Loshchilov & Hutter 2017, algorithm 2. Their ``lambda*p`` is not multiplied by "
            "alpha, so that ours is divided by it; a schedule multiplies both, as in the paper."
        ),
    ),
    Row(
        PAPERS,
        "FedAdam",
        optimizers.Adam,
        {"eta": REQUIRED, "tau": REQUIRED, "beta1": 0.9, "beta2": 0.99},
        fixed={"bias_correction": False},
        named={
            "lr": "eta",
            "eps": "tau",
            "initial_accumulator_value": Computed("tau**2", _squared),
        },
        note=(
            "Reddi, Charles, Zaheer et al. 2020, algorithm 2. The gradient is the server's "
            "parameters minus the clients'."
        ),
    ),
    Row(
        PAPERS,
        "Lion",
        optimizers.Lion,
        {"eta": REQUIRED, "beta1": 0.9, "beta2": 0.99, "weight_decay": REQUIRED},
        named={"lr": "eta"},
        note="Chen, Liang, Huang et al. 2023, algorithm 2.",
    ),
    Row(
        PAPERS,
        "Signum",
        optimizers.Signum,
        {"delta": REQUIRED, "beta": REQUIRED},
        named={"lr": "delta", "momentum": "beta"},
        note="Bernstein, Wang, Azizzadenesheli & Anandkumar 2018, algorithm 2.",
    ),
    Row(
        PAPERS,
        "ADOPT",
        optimizers.ADOPT,
        {"alpha": 1e-3, "beta1": 0.9, "beta2": 0.9999, "epsilon": 1e-6},
        named={"lr": "alpha"},
        note="Taniguchi, Harada, Minegishi et al. 2024, algorithm 2, with their code's bound.",
    ),
    Row(
        PAPERS,
        "Adan",
        optimizers.Adan,
        {
            "eta": REQUIRED,
            "weight_decay": REQUIRED,
            "beta1": 0.98,
            "beta2": 0.92,
            "beta3": 0.99,
            "epsilon": 1e-8,
        },
        named={"lr": "eta", "betas": ("beta1", "beta2", "beta3")},
        note=(
            "Xie, Zhou, Li, Lin & Yan 2022, algorithm 1 as their code has it (timm too): with "
            "corrections of bias, and betas that are one minus the paper's."
        ),
    ),
    Row(
        PAPERS,
        "AdEMAMix",
        optimizers.AdEMAMix,
        {
            "eta": REQUIRED,
            "alpha": REQUIRED,
            "T": REQUIRED,
            "weight_decay": REQUIRED,
            "beta1": 0.9,
            "beta2": 0.999,
            "beta3": 0.9999,
            "epsilon": 1e-8,
        },
        named={
            "lr": "eta",
            "betas": ("beta1", "beta2", "beta3"),
            "t_alpha": "T",
            "t_beta3": "T",
        },
        note="Pagliardini, Ablin & Grangier 2024, algorithm 1; T is that of both schedules.",
    ),
    Row(
        PAPERS,
        "LARS",
        optimizers.LARS,
        {"gamma": REQUIRED, "m": 0.9, "eta": 0.001, "beta": 0.0005},
        fixed={"eps": 0.0},
        named={
            "lr": "gamma",
            "momentum": "m",
            "trust_coefficient": "eta",
            "weight_decay": "beta",
        },
        note=(
            "You, Gitman & Ginsburg 2017, algorithm 1, with a rate that stays; another `lr` acts "
            "on the whole momentum here, on what comes new there."
        ),
    ),
    Row(
        PAPERS,
        "StableAdamW",
        optimizers.StableAdamW,
        {
            "alpha": REQUIRED,
            "weight_decay": REQUIRED,
            "beta1": 0.9,
            "beta2": 0.99,
            "epsilon": 1e-6,
        },
        named={"lr": "alpha"},
        note="Wortsman, Dettmers, Zettlemoyer et al. 2023, algorithm 2.",
    ),
)

if TYPE_CHECKING:
    # Made from the rows: cd tests && ../.venv/bin/python -m support.presets
    from typing import Unpack

    from ferrostep.presets.functions import Ours
    from ferrostep.typing import Params

    class _Rest(Ours, total=False):
        """What all take by name."""

        params: Params | None

    def Momentum(*, epsilon: float, mu: float, **rest: Unpack[_Rest]) -> optimizers.Momentum: ...
    def NAG(*, epsilon: float, mu: float, **rest: Unpack[_Rest]) -> optimizers.Momentum: ...
    def IRpropMinus(
        *,
        delta_0: float = 0.1,
        eta_minus: float = 0.5,
        eta_plus: float = 1.2,
        delta_min: float = 1e-06,
        delta_max: float = 50.0,
        **rest: Unpack[_Rest],
    ) -> optimizers.Rprop: ...
    def RMSProp(
        *, learning_rate: float, decay: float = 0.9, epsilon: float = 1e-08, **rest: Unpack[_Rest]
    ) -> optimizers.RMSprop: ...
    def AdaGrad(*, eta: float, delta: float, **rest: Unpack[_Rest]) -> optimizers.Adagrad: ...
    def AdaDelta(
        *, rho: float = 0.95, epsilon: float = 1e-06, **rest: Unpack[_Rest]
    ) -> optimizers.Adadelta: ...
    def Adam(
        *,
        alpha: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-08,
        **rest: Unpack[_Rest],
    ) -> optimizers.Adam: ...
    def AMSGrad(
        *,
        alpha: float,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-08,
        **rest: Unpack[_Rest],
    ) -> optimizers.Adam: ...
    def AdamW(
        *,
        alpha: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-08,
        weight_decay: float,
        **rest: Unpack[_Rest],
    ) -> optimizers.AdamW: ...
    def FedAdam(
        *, eta: float, tau: float, beta1: float = 0.9, beta2: float = 0.99, **rest: Unpack[_Rest]
    ) -> optimizers.Adam: ...
    def Lion(
        *,
        eta: float,
        beta1: float = 0.9,
        beta2: float = 0.99,
        weight_decay: float,
        **rest: Unpack[_Rest],
    ) -> optimizers.Lion: ...
    def Signum(*, delta: float, beta: float, **rest: Unpack[_Rest]) -> optimizers.Signum: ...
    def ADOPT(
        *,
        alpha: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.9999,
        epsilon: float = 1e-06,
        **rest: Unpack[_Rest],
    ) -> optimizers.ADOPT: ...
    def Adan(
        *,
        eta: float,
        weight_decay: float,
        beta1: float = 0.98,
        beta2: float = 0.92,
        beta3: float = 0.99,
        epsilon: float = 1e-08,
        **rest: Unpack[_Rest],
    ) -> optimizers.Adan: ...
    def AdEMAMix(
        *,
        eta: float,
        alpha: float,
        T: float | None,
        weight_decay: float,
        beta1: float = 0.9,
        beta2: float = 0.999,
        beta3: float = 0.9999,
        epsilon: float = 1e-08,
        **rest: Unpack[_Rest],
    ) -> optimizers.AdEMAMix: ...
    def LARS(
        *,
        gamma: float,
        m: float = 0.9,
        eta: float = 0.001,
        beta: float = 0.0005,
        **rest: Unpack[_Rest],
    ) -> optimizers.LARS: ...
    def StableAdamW(
        *,
        alpha: float,
        weight_decay: float,
        beta1: float = 0.9,
        beta2: float = 0.99,
        epsilon: float = 1e-06,
        **rest: Unpack[_Rest],
    ) -> optimizers.StableAdamW: ...

    # End of what is made.
else:
    globals().update(functions(ROWS, __name__))
    __all__ = [*ROWS]
