"""The wider family against its authorities: recorded runs of torch, timm, optax, Keras and others.

How each was made is in the header of `vectors/family.safetensors`: torch with float64 as its
default dtype, without which its scalars are float32, and Muon's Newton-Schulz in the parameter's
type; Keras on JAX with x64, since its NumPy backend computes float64 in float32.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from support.arrays import Array
from support.family import CASES, LEFT_OUT, STATES, Case, ours

#: How far ours may be after the 12 steps: a parameter from the larger of where it began and where
#: it ended, a state array from the largest number in it. What was found is 3 machine epsilons in
#: float64 and 6 in float32: theirs fuse and reassociate.
BOUND = {"float64": 1e-12, "float32": 1e-6}
#: Where an error comes back into the run.
BOUNDS: dict[str, dict[str, float]] = {
    "torch.optim.Muon": {"float64": 1e-10, "float32": 1e-4},  # 15 products of matrices a step
    "prodigyopt.Prodigy": {"float64": 1e-12, "float32": 1e-3},  # through d, of all parameters' sums
}

#: What the records wait for, and how many of them. What is there now is no longer awaited: the
#: records are run by themselves, and the line goes.
AWAITED = {
    "ASGD": 6,
    "AdEMAMix": 4,
    "Adafactor": 8,
    "AdamW(cautious)": 2,
    "Adan": 6,
    "LAMB": 6,
    "LARS": 8,
    "Lion(cautious)": 2,
    "Muon": 6,
    "NAdam": 6,
    "Prodigy": 6,
    "ScheduleFreeAdamW": 6,
    "ScheduleFreeSGD": 6,
    "SparseAdam": 4,
    "StableAdamW": 2,
    "presets.keras.Lamb": 1,
    "presets.keras.Nadam": 1,
    "presets.keras.ScheduleFreeAdamW": 1,
    "presets.optax.lamb": 2,
    "presets.optax.lars": 2,
    "presets.optax.nadam": 2,
    "presets.optax.novograd": 2,
    "presets.optax.schedule_free_adamw": 2,
}

READY = [case for case in CASES if ours(case).make]


def title(case: Case) -> str:
    return f"{case.title}-{case.dtype}"


def test_every_record_is_run_or_said_to_wait_or_left_out() -> None:
    found = [ours(case) for case in CASES]
    awaited = Counter(one.awaited for one in found if one.awaited)
    assert awaited == AWAITED, "take what exists now from AWAITED"
    left = [case for case in CASES if {case.theirs, case.title} & LEFT_OUT.keys()]
    assert len(READY) + awaited.total() + len(left) == len(CASES) == 147
    assert {name for case in left for name in (case.theirs, case.title)} >= LEFT_OUT.keys()
    assert len({title(case) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", READY, ids=title)
def test_authority(case: Case) -> None:
    bound = BOUNDS.get(case.theirs, BOUND)[case.dtype]
    make = ours(case).make
    assert make is not None
    params = [p.copy() for p in case.start]
    opt = make(params)
    for grads, lr in zip(case.gradients, case.rates, strict=True):
        opt.param_groups[0]["lr"] = lr
        opt.step(grads)

    def compare(wanted: list[Array]) -> None:
        for p, want, start in zip(params, wanted, case.start, strict=True):
            assert p.dtype == want.dtype
            unit = np.maximum(np.abs(want), np.abs(start))
            assert (np.abs(p - want) <= bound * unit).all(), np.max(np.abs(p - want) / unit)

    compare(case.end)
    for i, entry in enumerate(case.state):
        for name, want in entry.items():
            known, sign = STATES.get(case.theirs, {}).get(name, (name, 1.0))
            found = opt.state[i][known]
            largest = float(np.max(np.abs(want)))
            distance = float(np.max(np.abs(np.asarray(found) * sign - want)))
            assert np.shape(found) == np.shape(want), name
            assert distance <= bound * largest, (name, distance / largest)
    if case.averaged:
        opt.eval()  # type: ignore[attr-defined]
        compare(case.averaged)
