"""The wider family against its authorities: recorded runs of torch, timm, optax, Keras and others.

How each was made is in the header of `vectors/family.safetensors`: torch with float64 as its
default dtype, without which its scalars are float32, and Muon's Newton-Schulz in the parameter's
type; Keras on JAX with x64, since its NumPy backend computes float64 in float32.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from support.family import CASES, Case
from support.meant import LEFT_OUT, STATES, apart, ours, steps

#: What the records wait for, and how many of them. What is there now is no longer awaited: the
#: records are run by themselves, and the line goes.
AWAITED = {}

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
    make = ours(case).make
    assert make is not None
    params = [p.copy() for p in case.start]
    opt = make(params)
    steps(opt, case)
    assert apart(params, case.end, case.start) <= case.bound
    for i, entry in enumerate(case.state):
        for name, want in entry.items():
            known = STATES.get(case.theirs, {}).get(name)
            found = np.asarray(known(opt.state[i]) if known else opt.state[i][name])
            assert found.shape == np.shape(want), name
            assert np.max(np.abs(found - want)) <= case.bound * np.max(np.abs(want)), name
    if case.averaged:
        opt.eval()  # type: ignore[attr-defined]
        assert apart(params, case.averaged, case.start) <= case.bound
