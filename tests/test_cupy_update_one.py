"""Parameters on devices that come one by one, beside others in host memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import TENSORWISE_RUN_IDS, TENSORWISE_RUNS, Case
from support.arrays import arrays_in, assert_same_bits, numbers_in
from support.on_device import to_device, to_host


@pytest.mark.parametrize(("case", "dtype"), TENSORWISE_RUNS, ids=TENSORWISE_RUN_IDS)
def test_each_key_is_an_optimizer_of_its_own(case: Case, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    start = {key: rng.standard_normal((5, 7)).astype(dtype) for key in ("a", ("b", 1), 3)}
    on_host = {key: p.copy() for key, p in start.items()}
    mixed = {key: p.copy() if key == 3 else to_device(p) for key, p in start.items()}
    opt, twin = case.optimizer(**case.options), case.optimizer(**case.options)
    for t in range(4):
        for key in list(start)[t % 3 :]:
            g = rng.standard_normal((5, 7)).astype(dtype)
            scaling = {"max_norm": 2.0} if t == 2 else {}
            found = opt.update_one(key, mixed[key], g if key == 3 else to_device(g), **scaling)
            wanted = twin.update_one(key, on_host[key], g, **scaling)
            assert found.grad_norm == wanted.grad_norm
    for key, p in on_host.items():
        assert_same_bits(to_host(mixed[key]), p)
        assert numbers_in(opt.state[key]) == numbers_in(twin.state[key])
        for name, state in arrays_in(twin.state[key]).items():
            assert_same_bits(to_host(opt.state[key][name]), state)


def test_a_gradient_in_another_place() -> None:
    opt, p = fs.Adam(), to_device(np.ones(3))
    opt.update_one("p", p, to_device(np.ones(3)))
    for key in ("p", "new"):
        with pytest.raises(TypeError, match=f"gradient of parameter '{key}' is in host memory"):
            opt.update_one(key, p if key == "p" else to_device(np.ones(3)), np.ones(3))
    assert list(opt.state) == ["p"]
    assert opt.state["p"]["step"] == 1
