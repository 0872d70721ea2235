"""Parameters that share memory, and step counts that cannot be."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from ferrostep import schedulers

BASE = np.arange(24.0).reshape(4, 6)
ALIASES: dict[str, tuple[Any, str]] = {
    "the same": ([BASE, BASE], "parameter 0 and parameter 1 share memory"),
    "transposed": ({"a": BASE, "b": BASE.T}, "parameter 'a' and parameter 'b' share"),
    "reversed": ([BASE[1], np.ones(3), BASE[0:2, ::-2]], "share memory"),
    "by bytes": ([BASE[0], BASE.view(np.uint8)[0, 3:4]], "share memory"),
    "with itself": ([np.lib.stride_tricks.as_strided(BASE, (3, 3), (8, 8))], "elements that share"),
    "broadcast": ([np.lib.stride_tricks.as_strided(BASE, (3, 3), (0, 8))], "elements that share"),
}
APART: dict[str, Any] = {
    "columns": [BASE[:, i] for i in range(6)],
    "interlaced": [BASE.reshape(-1)[i::4] for i in range(4)],
    "blocks": [BASE[:2, :3], BASE[:2, 3:], BASE[2:, ::-1]],
    "fields": [BASE.view(np.float32)[:, ::2], BASE.view(np.float32)[:, 1::2]],
    "empty": [BASE, BASE[:0], BASE[:, :0]],
    "number": [BASE[0, 0, ...], BASE[0, 1, ...]],
}


@pytest.mark.parametrize("kind", ALIASES)
def test_parameters_that_share_memory(kind: str, tmp_path: Path) -> None:
    given, message = ALIASES[kind]
    plain = {k: v.copy() for k, v in given.items()} if isinstance(given, dict) else [
        v.copy() for v in given
    ]  # fmt: skip
    fs.save_checkpoint(tmp_path / "f", params=plain)
    before = BASE.copy()
    with pytest.raises(ValueError, match=message):
        fs.load_checkpoint(tmp_path / "f", params=given)
    assert (before == BASE).all()
    with pytest.raises(ValueError, match=message):
        fs.save_checkpoint(tmp_path / "g", params=given)
    assert not (tmp_path / "g").exists()


@pytest.mark.parametrize("kind", APART)
def test_parameters_that_only_lie_close(kind: str, tmp_path: Path) -> None:
    wanted = [array.copy() for array in APART[kind]]
    fs.save_checkpoint(tmp_path / "f", params=APART[kind])
    before = BASE.copy()
    try:
        BASE[...] = -1
        fs.load_checkpoint(tmp_path / "f", params=APART[kind])
        for array, values_before in zip(APART[kind], wanted, strict=True):
            np.testing.assert_array_equal(array, values_before)
    finally:
        BASE[...] = before


def test_an_object_with_two_names_is_refused(tmp_path: Path) -> None:
    opt = fs.SGD([np.ones(2)])
    schedule = schedulers.StepLR(opt, 3)
    with pytest.raises(ValueError, match="the optimizers 'a' and 'b' are the same object"):
        fs.save_checkpoint(tmp_path / "f", optimizer={"a": opt, "b": opt})
    with pytest.raises(ValueError, match="the schedulers 0 and 1 are the same object"):
        fs.save_checkpoint(tmp_path / "f", schedulers=[schedule, schedule])
    twins = {name: fs.SGD([np.ones(2)]) for name in "ab"}
    pair = [schedulers.StepLR(o, 3) for o in twins.values()]
    fs.save_checkpoint(tmp_path / "f", optimizer=twins, schedulers=pair)
    with pytest.raises(ValueError, match="the optimizers 'a' and 'b' are the same object"):
        fs.load_checkpoint(tmp_path / "f", optimizer={"a": opt, "b": opt}, partial=True)
    with pytest.raises(ValueError, match="the schedulers 0 and 1 are the same object"):
        fs.load_checkpoint(tmp_path / "f", schedulers=[schedule] * 2, partial=True)


@pytest.mark.parametrize("step", [-1, 1.5, 2**62 + 1, 2**63 - 1, 2**63, 2.0**70, math.nan, "1"])
@pytest.mark.parametrize("unbound", [False, True])
def test_a_step_count_that_cannot_be_saved_is_not_loaded(
    step: Any, unbound: bool, tmp_path: Path
) -> None:
    source = fs.Adam([np.ones(2)])
    source.step([np.ones(2)])
    saved = source.state_dict()
    opt = fs.Adam(None if unbound else [np.ones(2)])
    opt.load_state_dict(saved)
    saved["state"][0]["step"] = step
    with pytest.raises(ValueError, match="the step of parameter 0 must be a whole number"):
        opt.load_state_dict(saved)
    assert opt.state_dict()["state"][0]["step"] == 1
    saved["state"][0]["step"] = 2**62
    opt.load_state_dict(saved)
    p = [np.ones(2)]
    opt.update(p, [np.ones(2)]) if unbound else opt.step([np.ones(2)])
    opt.save(tmp_path / "f")
    opt.load_state_dict(opt.state_dict())


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_a_step_count_ends_where_it_can_be_loaded(backend: Any, tmp_path: Path) -> None:
    opt = fs.NAdam([np.ones(2)], backend=backend)
    with pytest.raises(
        ValueError, match=r"step must be a whole number from 0 to 4611686018427387904"
    ):
        opt.init_state(step=2**62 + 1)
    opt.init_state(step=2**62 - 1)
    for _ in range(3):  # the last ones repeat a plan
        opt.step([np.ones(2)])
        assert opt.state[0]["step"] == 2**62
        opt.save(tmp_path / "f")
        opt.load_state_dict(opt.state_dict())
        opt.step([np.ones(2)])
        opt.step([np.ones(2)])
    other = fs.NAdam([np.ones(2)])
    other.load(tmp_path / "f")
    assert other.state[0]["step"] == 2**62


@pytest.mark.parametrize(
    "damage", [{"more": np.ones(2)}, {"exp_avg": None}, {"exp_avg": np.ones(2, int)}]
)
def test_what_an_unbound_optimizer_could_not_save_it_does_not_load(damage: dict[str, Any]) -> None:
    source = fs.Adam([np.ones(2)])
    source.step([np.ones(2)])
    saved = source.state_dict()
    saved["state"][0].update(damage)
    with pytest.raises(ValueError, match=r"unknown arrays|lacks|wanted one of float16"):
        fs.Adam().load_state_dict(saved)
