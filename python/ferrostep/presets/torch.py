"""torch.optim: ours are its names and formulas, so its arguments are options of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ferrostep import optimizers
from ferrostep.presets.functions import functions
from ferrostep.presets.row import Library, Refused, Row, by_name

TORCH = Library(
    "torch",
    "torch",
    named={},
    common={
        "maximize": False,
        "foreach": None,
        "capturable": False,
        "differentiable": False,
        "fused": None,
    },
    ignored=frozenset({"foreach", "fused"}),
    refused={
        "capturable": Refused("a step is none of torch's kernels, and no graph can hold it"),
        "differentiable": Refused("steps are made in place, and nothing is recorded of them"),
    },
    params_first=True,
)
ITERATION = ("ns_coefficients", "ns_steps")
ADAM = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8}

ROWS = by_name(
    Row(
        TORCH,
        "SGD",
        optimizers.SGD,
        {"lr": 1e-3, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False},
    ),
    Row(
        TORCH,
        "Adam",
        optimizers.Adam,
        {**ADAM, "weight_decay": 0.0, "amsgrad": False, "decoupled_weight_decay": False},
    ),
    Row(TORCH, "AdamW", optimizers.AdamW, {**ADAM, "weight_decay": 0.01, "amsgrad": False}),
    Row(
        TORCH,
        "RMSprop",
        optimizers.RMSprop,
        {
            "lr": 0.01,
            "alpha": 0.99,
            "eps": 1e-8,
            "weight_decay": 0.0,
            "momentum": 0.0,
            "centered": False,
        },
    ),
    Row(
        TORCH,
        "Adagrad",
        optimizers.Adagrad,
        {
            "lr": 0.01,
            "lr_decay": 0.0,
            "weight_decay": 0.0,
            "initial_accumulator_value": 0.0,
            "eps": 1e-10,
        },
    ),
    Row(
        TORCH,
        "Adadelta",
        optimizers.Adadelta,
        {"lr": 1.0, "rho": 0.9, "eps": 1e-6, "weight_decay": 0.0},
    ),
    Row(
        TORCH,
        "Rprop",
        optimizers.Rprop,
        {"lr": 0.01, "etas": (0.5, 1.2), "step_sizes": (1e-6, 50.0)},
    ),
    Row(
        TORCH,
        "Adafactor",
        optimizers.Adafactor,
        {
            "lr": 1e-2,
            "beta2_decay": -0.8,
            "eps": (None, 1e-3),
            "d": 1.0,
            "weight_decay": 0.0,
        },
        note=(
            "Where the first of eps is None, torch gives a whole group the finfo.eps of its first "
            "parameter's dtype; ferrostep gives each parameter its own."
        ),
    ),
    Row(TORCH, "Adamax", optimizers.Adamax, {**ADAM, "lr": 2e-3, "weight_decay": 0.0}),
    Row(
        TORCH,
        "NAdam",
        optimizers.NAdam,
        {
            **ADAM,
            "lr": 2e-3,
            "weight_decay": 0.0,
            "momentum_decay": 4e-3,
            "decoupled_weight_decay": False,
        },
    ),
    Row(
        TORCH,
        "ASGD",
        optimizers.ASGD,
        {
            "lr": 0.01,
            "lambd": 1e-4,
            "alpha": 0.75,
            "t0": 1e6,
            "weight_decay": 0.0,
        },
    ),
    Row(
        TORCH,
        "RAdam",
        optimizers.RAdam,
        {**ADAM, "weight_decay": 0.0, "decoupled_weight_decay": False},
    ),
    Row(TORCH, "SparseAdam", optimizers.SparseAdam, ADAM),
    Row(
        TORCH,
        "Muon",
        optimizers.Muon,
        {
            "lr": 1e-3,
            "weight_decay": 0.1,
            "momentum": 0.95,
            "nesterov": True,
            "ns_coefficients": (3.4445, -4.775, 2.0315),
            "eps": 1e-7,
            "ns_steps": 5,
            "adjust_lr_fn": None,
        },
        named={"adjust_lr": "adjust_lr_fn"},
        refused={name: Refused("ferrostep has torch's default alone") for name in ITERATION},
        note=(
            "torch makes the matrix orthogonal in bfloat16, whatever the parameter's type; "
            "ferrostep does it in the type that the parameter is computed in."
        ),
    ),
)
#: Those whose arguments have our names, so that options and state dicts are the same in both.
ALIKE = {name: row for name, row in ROWS.items() if not row.named}

if TYPE_CHECKING:
    # Made from the rows: cd tests && ../.venv/bin/python -m support.presets
    from typing import Literal, Unpack

    from ferrostep.presets.functions import Ours
    from ferrostep.typing import Params

    class _Rest(Ours, total=False):
        """What all take by name."""

        foreach: object
        capturable: Literal[False]
        differentiable: Literal[False]
        fused: object

    def SGD(
        params: Params | None = None,
        lr: float = 0.001,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.SGD: ...
    def Adam(
        params: Params | None = None,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.Adam: ...
    def AdamW(
        params: Params | None = None,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0.01,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.AdamW: ...
    def RMSprop(
        params: Params | None = None,
        lr: float = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-08,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.RMSprop: ...
    def Adagrad(
        params: Params | None = None,
        lr: float = 0.01,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.Adagrad: ...
    def Adadelta(
        params: Params | None = None,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-06,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.Adadelta: ...
    def Rprop(
        params: Params | None = None,
        lr: float = 0.01,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-06, 50.0),
        *,
        maximize: bool = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.Rprop: ...
    def Adafactor(
        params: Params | None = None,
        lr: float = 0.01,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 0.001),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.Adafactor: ...
    def Adamax(
        params: Params | None = None,
        lr: float = 0.002,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.Adamax: ...
    def NAdam(
        params: Params | None = None,
        lr: float = 0.002,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0.0,
        momentum_decay: float = 0.004,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.NAdam: ...
    def ASGD(
        params: Params | None = None,
        lr: float = 0.01,
        lambd: float = 0.0001,
        alpha: float = 0.75,
        t0: float = 1000000.0,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.ASGD: ...
    def RAdam(
        params: Params | None = None,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.RAdam: ...
    def SparseAdam(
        params: Params | None = None,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-08,
        *,
        maximize: bool = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.SparseAdam: ...
    def Muon(
        params: Params | None = None,
        lr: float = 0.001,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-07,
        ns_steps: Literal[5] = 5,
        adjust_lr_fn: Literal["original", "match_rms_adamw", "spectral_unclamped"] | None = None,
        *,
        maximize: bool = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.Muon: ...

    # End of what is made.
else:
    globals().update(functions(ROWS, __name__))
    __all__ = [*ROWS]
