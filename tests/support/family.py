"""Other libraries' recorded runs of the wider family, and what each of their classes is here.

``vectors/family.safetensors`` has a tensor for each case: where the parameters begin, their
gradients at each step, where they end, and the final state, one after the other; its header says
which library made it, and how. What is the same everywhere is the number of steps, and where the
learning rate is halved, if it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

import ferrostep as fs
from support.arrays import Array

FILE = Path(__file__).parents[1] / "vectors" / "family.safetensors"
STEPS, HALVED = 12, 6


@dataclass(frozen=True)
class Case:
    """A recorded run: 12 steps of one class of another library."""

    theirs: str
    options: Mapping[str, Any]
    dtype: str
    rates: list[float]
    start: list[Array]
    #: For each step; None where a parameter has no gradient.
    gradients: list[list[Array | fs.Rows | None]]
    end: list[Array]
    #: The averages of a schedule-free class, where its parameters are not these.
    averaged: list[Array] | None
    #: For each parameter, if it was recorded: arrays, and what is a number per parameter.
    state: list[dict[str, Any]]

    @property
    def title(self) -> str:
        told = (f"{name}={value}" for name, value in self.options.items() if name != "lr")
        return f"{self.theirs}({','.join(told)})".replace(" ", "")


def _read() -> Iterator[Case]:
    with safe_open(FILE, "numpy") as file:
        for i, about in enumerate(json.loads(file.metadata()["cases"])):
            yield _case(about, file.get_tensor(f"{i:03}"))


def _case(about: dict[str, Any], numbers: Array) -> Case:
    used = 0

    def take(shape: list[int]) -> Array:
        nonlocal used
        begin, used = used, used + int(np.prod(shape))
        return numbers[begin:used].reshape(shape)

    def gradient(t: int, i: int) -> Array | fs.Rows | None:
        if [t, i] in about.get("missing", []):
            return None
        if "rows" not in about:
            return take(shapes[i])
        rows = about["rows"][t]
        return fs.Rows(rows, take([len(rows), *shapes[i][1:]]))

    shapes = about["shapes"]
    lr = about["options"]["lr"]
    later = lr / 2 if about.get("halved") else lr
    case = Case(
        theirs=about["class"],
        options=about["options"],
        dtype=about["dtype"],
        rates=[lr] * HALVED + [later] * (STEPS - HALVED),
        start=[take(shape) for shape in shapes],
        gradients=[[gradient(t, i) for i in range(len(shapes))] for t in range(STEPS)],
        end=[take(shape) for shape in shapes],
        averaged=[take(shape) for shape in shapes] if about.get("averaged") else None,
        state=[
            {name: take(x) if isinstance(x, list) else x for name, x in entry.items()}
            for entry in about.get("state", [])
        ],
    )
    assert used == len(numbers)
    return case


CASES = [*_read()]


# What they are here.

#: Classes and cases that no option of ours has the numbers of, and why.
LEFT_OUT = {
    "schedulefree.RAdamScheduleFree": "ScheduleFreeAdamW with a warm-up is in its place",
    "dadaptation.DAdaptAdam": "Prodigy came after it, from one of its authors",
    "adam_mini.Adam_mini": "its blocks follow from the names of a transformer's parameters",
    "timm.optim.Adopt()": "timm's exponent of the bound, 0.333, for the authors' 0.25",
    "timm.optim.Adopt(weight_decay=0.05,decoupled=True,clip_exp=None)": (
        "timm does not decay in the first step; ours decays in every one, as all classes do"
    ),
}

#: An optimizer's options here, from their arguments by name.
Meaning = Callable[..., dict[str, Any]]


def _same(**options: Any) -> dict[str, Any]:
    return options


def _cautious(caution: bool = False, **same: Any) -> dict[str, Any]:
    return {**same, "cautious": True} if caution else same


def _lamb(max_grad_norm: None, eps: float = 1e-6, **same: Any) -> dict[str, Any]:
    return {"eps": eps, **same}


def _lars(trust_coeff: float = 1e-3, **same: Any) -> dict[str, Any]:
    return {"trust_coefficient": trust_coeff, **same}


def _adopt(clip_exp: float | None = 0.333, decoupled: bool = False, **same: Any) -> dict[str, Any]:
    assert clip_exp in (None, 0.25)
    return {"clip": clip_exp is not None, "decoupled_weight_decay": decoupled, **same}


def _adafactor(
    min_dim_size_to_factor: int, clipping_threshold: float, momentum: None, beta2_cap: float,
    decay_rate: float, **same: Any,
) -> dict[str, Any]:  # fmt: skip
    assert min_dim_size_to_factor == 0
    assert beta2_cap == 1
    return {"form": "original", "d": clipping_threshold, "beta2_decay": -decay_rate, **same}


def _adabelief(eps: float, weight_decouple: bool, rectify: bool, **same: Any) -> dict[str, Any]:
    assert not rectify
    return {"eps": eps, "eps_root": eps, "decoupled_weight_decay": weight_decouple, **same}


def _ademamix(
    weight_decouple: bool = True, t_alpha_beta3: int | None = None, **same: Any
) -> dict[str, Any]:
    return {"decoupled_weight_decay": weight_decouple, "warmup": t_alpha_beta3, **same}


def _ftrl(lambda_1: float, lambda_2: float, **same: Any) -> dict[str, Any]:
    """McMahan's form: its l2 is not doubled, and the sum of squares begins at 0."""
    return {"l1": lambda_1, "l2": lambda_2 / 2, "initial_accumulator_value": 0.0, **same}


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
    "prodigyopt.Prodigy": ("Prodigy", _same),
}

#: What ours call a state array of theirs, where the names differ; their sign, where that does.
STATES: dict[str, dict[str, tuple[str, float]]] = {
    "timm.optim.Adan": {"neg_pre_grad": ("previous_grad", -1.0)},
    "pytorch_optimizer.FTRL": {"z": ("linear", 1.0), "n": ("accumulator", 1.0)},
}


@dataclass(frozen=True)
class Ours:
    """What a case is here: how it is made, or what there is not yet."""

    make: Callable[[list[Array]], fs.Optimizer] | None
    awaited: str = ""


def ours(case: Case) -> Ours:
    options = {name: plain(value) for name, value in case.options.items()}
    library, _, name = case.theirs.partition(".")
    name = name.rpartition(".")[2]
    if library in ("optax", "keras"):
        rows = import_module(f"ferrostep.presets.{library}").ROWS
        if name not in rows:
            return Ours(None, f"presets.{library}.{name}")
        given = {"learning_rate": options.pop("lr"), **options}
        made = rows[name].options(given)
        return Ours(lambda params: rows[name].cls(params, **made))
    if case.theirs in LEFT_OUT or case.title in LEFT_OUT:
        return Ours(None, "")
    known, mean = (name, _same) if library == "torch" else OURS[case.theirs]
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
