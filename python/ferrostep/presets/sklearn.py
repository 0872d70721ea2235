"""scikit-learn: what `MLPClassifier` and t-SNE step with; the same bits in float64.

`SGDOptimizer` and `AdamOptimizer` are its ``solver="sgd"`` and ``"adam"``.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from ferrostep import optimizers
from ferrostep.presets.functions import functions
from ferrostep.presets.row import Library, Refused, Row, by_name

SKLEARN = Library(
    "scikit-learn",
    "sklearn",
    named={"lr": "learning_rate_init", "betas": ("beta_1", "beta_2"), "eps": "epsilon"},
    ignored=frozenset({"power_t"}),  # of a schedule
    refused={
        "alpha": Refused(
            "it belongs to the loss; set weight_decay=alpha/n_samples in the groups of weights"
        ),
    },
    params_first=True,
)

ROWS = by_name(
    Row(
        SKLEARN,
        "SGDOptimizer",
        optimizers.Momentum,
        {
            "learning_rate_init": 0.1,
            "lr_schedule": "constant",
            "momentum": 0.9,
            "nesterov": True,
            "power_t": 0.5,
        },
        refused={
            "lr_schedule": Refused(
                "make ferrostep.schedulers.LambdaLR for 'invscaling', ReduceLROnPlateau for "
                "'adaptive'"
            )
        },
    ),
    Row(
        SKLEARN,
        "AdamOptimizer",
        optimizers.Adam,
        {"learning_rate_init": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8},
        fixed={"epsilon_hat": True},
    ),
    Row(
        SKLEARN,
        "gradient_descent",
        optimizers.AdaptiveGains,
        {"momentum": 0.8, "learning_rate": 200.0, "min_gain": 0.01},
        fixed={"beta": 0.2, "max_gain": inf, "compare": "velocity"},
        named={"lr": "learning_rate"},
        note="The steps of t-SNE (sklearn.manifold), without its stopping rules.",
    ),
)

if TYPE_CHECKING:
    # Made from the rows: cd tests && ../.venv/bin/python -m support.presets
    from typing import Literal, Unpack

    from ferrostep.presets.functions import Ours
    from ferrostep.typing import Params

    class _Rest(Ours, total=False):
        """What all take by name."""

    def SGDOptimizer(
        params: Params | None = None,
        learning_rate_init: float = 0.1,
        lr_schedule: Literal["constant"] = "constant",
        momentum: float = 0.9,
        nesterov: bool = True,
        power_t: object = 0.5,
        **rest: Unpack[_Rest],
    ) -> optimizers.Momentum: ...
    def AdamOptimizer(
        params: Params | None = None,
        learning_rate_init: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-08,
        **rest: Unpack[_Rest],
    ) -> optimizers.Adam: ...
    def gradient_descent(
        params: Params | None = None,
        momentum: float = 0.8,
        learning_rate: float = 200.0,
        min_gain: float = 0.01,
        **rest: Unpack[_Rest],
    ) -> optimizers.AdaptiveGains: ...

    # End of what is made.
else:
    globals().update(functions(ROWS, __name__))
    __all__ = [*ROWS]
