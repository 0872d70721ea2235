"""What the classes of the recorded runs (`support.family`) are here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

import ferrostep as fs
from support.arrays import Array
from support.family import Case

#: Classes and cases that no option of ours has the numbers of, and why.
LEFT_OUT = {
    "schedulefree.RAdamScheduleFree": "ScheduleFreeAdamW with a warm-up is in its place",
    "dadaptation.DAdaptAdam": "Prodigy came after it, from one of its authors",
    "timm.optim.Lamb(weight_decay=0.0,max_grad_norm=None)": "without decay timm's is Adam",
    "optax.lars": "its ratio has one norm, of gradient and decay; ours has that of each",
    "keras.optimizers.Lamb(weight_decay=0.05)": "Keras decays before the step, LAMB in it",
    "keras.optimizers.ScheduleFreeAdamW": "with decay; Keras decays y alone",
    "adam_mini.Adam_mini": "its blocks follow from the names of a transformer's parameters",
}

#: An optimizer's options here, from their arguments by name.
Meaning = Callable[..., dict[str, Any]]


def _same(**options: Any) -> dict[str, Any]:
    return options


def _cautious(caution: bool = False, **same: Any) -> dict[str, Any]:
    return {**same, "cautious": True} if caution else same


def _lamb(
    max_grad_norm: None, weight_decay: float, always_adapt: bool = False, **same: Any
) -> dict[str, Any]:
    assert weight_decay or always_adapt
    return {"weight_decay": weight_decay, **same}


def _lars(
    trust_coeff: float = 1e-3, weight_decay: float = 0.0, always_adapt: bool = False, **same: Any
) -> dict[str, Any]:
    assert weight_decay or always_adapt
    return {"trust_coefficient": trust_coeff, "weight_decay": weight_decay, **same}


def _adopt(clip_exp: float | None = 0.333, decoupled: bool = False, **same: Any) -> dict[str, Any]:
    return {"clip_exponent": clip_exp, "decoupled_weight_decay": decoupled, **same}


def _adafactor(
    min_dim_size_to_factor: int, clipping_threshold: float, momentum: None, beta2_cap: float,
    decay_rate: float, **same: Any,
) -> dict[str, Any]:  # fmt: skip
    assert min_dim_size_to_factor == 0
    assert beta2_cap == 1
    rates = {"relative_step": False, "scale_parameter": False, "beta2_decay": -decay_rate}
    return {"form": "original", "d": clipping_threshold, **rates, **same}


def _adabelief(eps: float, weight_decouple: bool, rectify: bool, **same: Any) -> dict[str, Any]:
    assert not rectify
    return {"eps": eps, "eps_root": eps, "decoupled_weight_decay": weight_decouple, **same}


def _ademamix(weight_decouple: bool, t_alpha_beta3: int, **same: Any) -> dict[str, Any]:
    steps = {"t_alpha": t_alpha_beta3, "t_beta3": t_alpha_beta3}
    return {"decoupled_weight_decay": weight_decouple, **steps, **same}


def _ftrl(lambda_1: float, lambda_2: float, **same: Any) -> dict[str, Any]:
    """McMahan's form: its l2 is not doubled, and the sum of squares begins at 0."""
    return {"l1": lambda_1, "l2": lambda_2 / 2, "initial_accumulator_value": 0.0, **same}


def _prodigy(use_bias_correction: bool = False, **same: Any) -> dict[str, Any]:
    return {"bias_correction": use_bias_correction, **same}


#: Our class, and what makes its options of the arguments; for libraries without presets.
OURS: dict[str, tuple[str, Meaning]] = {
    "timm.optim.Lion": ("Lion", _cautious),
    "timm.optim.AdamWLegacy": ("AdamW", _cautious),
    "timm.optim.Lamb": ("LAMB", _lamb),
    "timm.optim.Lars": ("LARS", _lars),
    "timm.optim.Adan": ("Adan", _same),
    "timm.optim.Adopt": ("ADOPT", _adopt),
    "timm.optim.AdafactorBigVision": ("Adafactor", _adafactor),
    "adabelief_pytorch.AdaBelief": ("AdaBelief", _adabelief),
    "torch_optimizer.Yogi": ("Yogi", _same),
    "bitsandbytes.optim.ademamix._ReferenceAdEMAMix": ("AdEMAMix", _same),
    "pytorch_optimizer.AdEMAMix": ("AdEMAMix", _ademamix),
    "pytorch_optimizer.FTRL": ("FTRL", _ftrl),
    "optimi.StableAdamW": ("StableAdamW", _same),
    "schedulefree.SGDScheduleFree": ("ScheduleFreeSGD", _same),
    "schedulefree.AdamWScheduleFree": ("ScheduleFreeAdamW", _same),
    "prodigyopt.Prodigy": ("Prodigy", _prodigy),
}


def _factors(ours: Mapping[str, Array]) -> list[Array]:
    return [ours["row_var"], ours["col_var"]]


#: A state array of theirs from ours, where it is not one of the same name.
STATES: dict[str, dict[str, Callable[[Mapping[str, Array]], Array]]] = {
    "timm.optim.Adan": {"neg_pre_grad": lambda ours: -ours["prev"]},
    "bitsandbytes.optim.ademamix._ReferenceAdEMAMix": {
        "m1_m2": lambda ours: np.stack([ours["exp_avg"], ours["exp_avg_slow"]]),
        "nu": lambda ours: ours["exp_avg_sq"],
    },
    "prodigyopt.Prodigy": {
        name: lambda ours, name=name: ours[name].ravel() for name in ("s", "p0")
    },
    "timm.optim.AdafactorBigVision": {  # of the shorter axis, and of the longer one
        "exp_avg_sq": lambda ours: ours["variance"],
        "exp_avg_sq_r": lambda ours: min(_factors(ours), key=np.size),
        "exp_avg_sq_c": lambda ours: max(_factors(ours), key=np.size),
    },
    "pytorch_optimizer.FTRL": {
        "z": lambda ours: ours["linear"],
        "n": lambda ours: ours["accumulator"],
    },
}


@dataclass(frozen=True)
class Ours:
    """What a case is here: how it is made, or what there is not yet."""

    make: Callable[[list[Array]], fs.Optimizer] | None
    awaited: str = ""


def ours(case: Case) -> Ours:
    if {case.theirs, case.title} & LEFT_OUT.keys():
        return Ours(None)
    options = {name: plain(value) for name, value in case.options.items()}
    library, _, name = case.theirs.partition(".")
    name = name.rpartition(".")[2]
    if library in ("torch", "optax", "keras"):
        rows = import_module(f"ferrostep.presets.{library}").ROWS
        if name not in rows:
            return Ours(None, f"presets.{library}.{name}")
        given = {rows[name].sources["lr"]: options.pop("lr"), **options}
        chosen = rows[name].options(given)
        return Ours(lambda params: rows[name].cls(params, **chosen))
    known, mean = OURS[case.theirs]
    if not hasattr(fs, known):
        return Ours(None, known)
    cls, made = getattr(fs, known), mean(**options)
    missing = made.keys() - cls._schema().fields.keys()
    if missing:
        return Ours(None, f"{known}({', '.join(sorted(missing))})")
    return Ours(lambda params: cls(params, **made))


def plain(value: Any) -> Any:
    """Return a value as it was before it became JSON."""
    return tuple(value) if isinstance(value, list) else value


def apart(found: list[Array], wanted: list[Array], start: list[Array]) -> float:
    """Return how far parameters are from others, in the larger of where these began and ended."""
    distances = [0.0]
    for p, want, first in zip(found, wanted, start, strict=True):
        assert p.dtype == want.dtype
        unit = np.maximum(np.maximum(np.abs(want), np.abs(first)), np.finfo(p.dtype).tiny)
        distances.append(float(np.max(np.abs(p - want) / unit)))
    return max(distances)


def steps(opt: fs.Optimizer, case: Case) -> None:
    """Make a case's steps."""
    for grads, lr in zip(case.gradients, case.rates, strict=True):
        opt.param_groups[0]["lr"] = lr
        opt.step(grads)
