"""Other libraries' names of optimizers and schedules: what there is here, or why there is nothing.

It is what an AttributeError of the package ends with. Names that are ours but for case and
underscores, classes of other modules here, and presets are found by themselves; the table has the
rest. `tests/test_elsewhere.py` compares it with the libraries' own lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module

_COSINE = "ferrostep.schedulers.CosineAnnealingLR or ferrostep.schedulers.WarmupCosineLR"
_RESTARTS = "ferrostep.schedulers.CosineAnnealingWarmRestarts"
_EXPONENTIAL = "ferrostep.schedulers.ExponentialLR"
_PARTS = "ferrostep.schedulers.MultiStepLR"
_POLYNOMIAL = "ferrostep.schedulers.PolynomialLR"
_FUNCTION = "ferrostep.schedulers.LambdaLR with a function of your own"

#: What to use; without case and underscores.
MEANT = {
    # torch
    "swapinoptimizerparamsandstate": "ferrostep.Optimizer.replace",
    "averagedmodel": "ferrostep.averages.EMA or ferrostep.averages.Mean",
    **dict.fromkeys(("getemaavgfn", "getemamultiavgfn"), "ferrostep.averages.EMA"),
    **dict.fromkeys(("getswaavgfn", "getswamultiavgfn"), "ferrostep.averages.Mean"),
    # optax
    "amsgrad": "ferrostep.Adam(amsgrad=True)",
    "signsgd": "ferrostep.Signum(momentum=0.0)",
    "schedulefree": "ferrostep.ScheduleFreeSGD or ferrostep.ScheduleFreeAdamW",
    "multisteps": "ferrostep.Accumulator",
    "applyiffinite": "the option nonfinite='skip' of every class",
    "injecthyperparams": "opt.lr = 0.1: options are attributes",
    **dict.fromkeys(("masked", "partition", "multitransform", "chain"), "param groups"),
    **dict.fromkeys(("freeze", "settozero"), "None as the gradient of what is to stay"),
    "clipbyblockrms": "step(grads, max_norm=..., clip='parameter')",
    "constantschedule": "no scheduler: a rate stays as it is",
    "exponentialdecay": _EXPONENTIAL,
    "linearschedule": "ferrostep.schedulers.LinearLR",
    "polynomialschedule": _POLYNOMIAL,
    "piecewiseconstantschedule": _PARTS,
    "piecewiseinterpolateschedule": _FUNCTION,
    "cosinedecayschedule": _COSINE,
    "cosineonecycleschedule": "ferrostep.schedulers.OneCycleLR",
    "linearonecycleschedule": _FUNCTION,
    "sgdrschedule": "ferrostep.schedulers.SequentialLR of ferrostep.schedulers.WarmupCosineLR",
    "joinschedules": "ferrostep.schedulers.SequentialLR",
    "warmupconstantschedule": "ferrostep.schedulers.LinearLR",
    "warmupcosinedecayschedule": "ferrostep.schedulers.WarmupCosineLR",
    "warmupexponentialdecayschedule": (
        "ferrostep.schedulers.SequentialLR of ferrostep.schedulers.LinearLR and "
        "ferrostep.schedulers.ExponentialLR"
    ),
    "reduceonplateau": "ferrostep.schedulers.ReduceLROnPlateau",
    # Keras
    "lossscaleoptimizer": "the argument grad_scale of step() and the option nonfinite='skip'",
    "multioptimizer": "param groups, or an optimizer for each part",
    "optimizermap": "param groups, or an optimizer for each part",
    "schedules": "ferrostep.schedulers",
    "learningrateschedule": "ferrostep.schedulers.LRScheduler",
    "cosinedecay": _COSINE,
    "cosinedecayrestarts": _RESTARTS,
    "inversetimedecay": _FUNCTION,
    "piecewiseconstantdecay": _PARTS,
    "polynomialdecay": _POLYNOMIAL,
    # timm and bitsandbytes
    "nesterov": "ferrostep.SGD(momentum=0.9, nesterov=True)",
    "rmsproptf": "ferrostep.RMSprop(eps_inside_sqrt=True, initial_accumulator_value=1.0)",
    "adafactorbigvision": (
        "ferrostep.Adafactor(form='original', relative_step=False, scale_parameter=False)"
    ),
    "nvnovograd": "ferrostep.NovoGrad",
    "larc": "ferrostep.LARS",
}

_RARE = "it is hardly asked for outside its paper"
_BASES = "its bases come from LAPACK, which has other bits on other machines"
_HESSIAN = "it asks its caller for a Hessian's diagonal, and a step takes gradients alone"
_LOSS = "it asks for the loss, and a step takes gradients alone"
_NOISE = "noise is NumPy's to add, to the gradients that step() is given"
_TWICE = "it asks for a second gradient at another place, and a step takes one"
_BEFORE = "Prodigy came after it, from one of its authors"

#: Why there is nothing.
LEFT_OUT = {
    "lbfgs": "it evaluates the loss on its own: scipy.optimize.minimize(method='L-BFGS-B') has it",
    "updatebn": "there are no layers here, and no batch norm to update",
    **dict.fromkeys(("soap", "shampoo", "kron", "galore"), _BASES),
    **dict.fromkeys(("sophia", "sophiag", "sophiah", "adahessian"), _HESSIAN),
    **dict.fromkeys(("polyaksgd", "momo", "momoadam"), _LOSS),
    **dict.fromkeys(("noisysgd", "addnoise", "dpsgd"), _NOISE),
    "sam": _TWICE,
    **dict.fromkeys(("optimisticgradientdescent", "optimisticadam", "optimisticadamv2"), _RARE),
    **dict.fromkeys(("fromage", "sm3", "acprop", "cocob", "dog", "dowg", "mechanize"), _RARE),
    **dict.fromkeys(("madgrad", "adamp", "sgdp", "laprop", "mars", "adamuon"), _RARE),
    "simplifiedademamix": "ferrostep.AdEMAMix is the one that is used",
    **dict.fromkeys(("dadaptadam", "dadaptadamw", "dadaptsgd", "dadaptlion"), _BEFORE),
    **dict.fromkeys(("dadaptadagrad", "dadaptadan"), _BEFORE),
    "adammini": "its blocks follow from the names of a transformer's parameters",
    **dict.fromkeys(
        ("centralize", "gradientcentralization"),
        "it is a line of NumPy before step(): g - g.mean(axis=tuple(range(1, g.ndim)), "
        "keepdims=True)",
    ),
}

#: How an implementation of one and the same rule is called.
_DECORATION = re.compile(
    r"^(bnb|cpu|deepspeedcpu|fused|paged|pytorch)|(legacy|8bit|32bit|4bit|fp8)$"
)
#: What has smaller state, of which 16 bits are the smallest here.
_SMALL = re.compile(r"(8bit|4bit|fp8)$")
#: Where names are looked for.
_ROOMS = ("ferrostep", "ferrostep.schedulers", "ferrostep.averages", "ferrostep.clip")


def hint(name: str) -> str:
    """Return the end of an error about a name that the package does not have."""
    if name.startswith("_"):
        return ""
    key = plain(name)
    if key in LEFT_OUT:
        return f"; it is left out, since {LEFT_OUT[key]}"
    found = [*_found(key), *_presets(name)]
    if not found:
        less = _DECORATION.sub("", key)
        small = "(state_dtype='bfloat16')" if _SMALL.search(key) else ""
        found = [f"{ours}{small}" for ours in _found(less)]
    return f"; did you mean {' or '.join(found)}?" if found else ""


def plain(name: str) -> str:
    """Return a name as other libraries' naming conventions leave it."""
    return name.lower().replace("_", "")


def _found(key: str) -> Iterator[str]:
    """Yield what it is here: nothing, or one place."""
    ours = {plain(n): f"{room}.{n}" for room in _ROOMS for n in import_module(room).__all__}
    classes = {plain(n) for n in import_module("ferrostep.optimizers").__all__}
    if key in MEANT:
        yield MEANT[key]
    elif key in ours:
        yield ours[key]
    elif key.endswith("w") and key[:-1] in classes:
        yield f"{ours[key[:-1]]}(decoupled_weight_decay=True)"


def _presets(name: str) -> Iterator[str]:
    for library in import_module("ferrostep.presets").__all__:
        if name in import_module(f"ferrostep.presets.{library}").ROWS:
            yield f"ferrostep.presets.{library}.{name}"
