"""What changes between two steps, or fails in the first: found, and nothing is touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ferrostep as fs

F32 = np.float32


def two() -> list[Any]:
    return [np.ones((2, 3), F32), np.ones(4, F32)]


def test_what_happens_behind_our_back() -> None:
    p = np.ones(8, F32)
    opt = fs.Momentum([p])
    opt.step([np.ones(8, F32)])
    p.setflags(write=False)
    with pytest.raises(ValueError, match="parameter 0 is read-only"):
        opt.step([np.ones(8, F32)])
    p.setflags(write=True)
    opt.state[0]["velocity"].setflags(write=False)
    with pytest.raises(ValueError, match='state "velocity" of parameter 0 is read-only'):
        opt.step([np.ones(8, F32)])
    opt.state[0]["velocity"].setflags(write=True)
    p.shape = (2, 4)
    with pytest.raises(ValueError, match=r"parameter 0 has shape \(2, 4\) .* as before"):
        opt.step([np.ones((2, 4), F32)])
    p.shape = (8,)
    p.resize(4, refcheck=False)
    with pytest.raises(ValueError, match=r"parameter 0 has shape \(4,\) .* as before"):
        opt.step([np.ones(4, F32)])
    opt.param_groups[0]["params"] = [np.ones(8, F32)]
    with pytest.raises(ValueError, match="use add_param_group"):
        opt.step([np.ones(8, F32)])


def test_state_cannot_be_replaced() -> None:
    opt = fs.Momentum([np.ones(3)])
    opt.step([np.ones(3)])
    with pytest.raises(TypeError):
        opt.state[0]["velocity"] = np.zeros(3)  # type: ignore[index]


def test_step_and_update_name_each_other() -> None:
    with pytest.raises(ValueError, match="use update"):
        fs.Adam().step([np.ones(3)])
    with pytest.raises(ValueError, match="use step"):
        fs.Adam([np.ones(3)]).update([np.ones(3)], [np.ones(3)])


def test_two_layers_under_one_key() -> None:
    opt = fs.Momentum()
    first, second = np.ones(3), np.ones(3)
    opt.update({"W": first}, {"W": np.ones(3)})
    with pytest.raises(ValueError, match="two layers or runs would share one state"):
        opt.update({"W": second}, {"W": np.ones(3)})
    np.testing.assert_array_equal(second, 1)
    opt.update({"W": first[:]}, {"W": np.ones(3)})  # another view of the same memory
    del first
    with pytest.raises(ValueError, match="two layers or runs would share one state"):
        opt.update({"W": second}, {"W": np.ones(3)})  # also where the last array is gone
    opt.rebind({"W": second})
    opt.update({"W": second}, {"W": np.ones(3)})
    assert opt.state["W"]["step"] == 3


@pytest.mark.parametrize("change", ["append", "remove", "replace"])
def test_groups_change_through_add_param_group_alone(change: str) -> None:
    p, q = two()
    opt = fs.Adam([{"params": [p]}, {"params": [q]}])
    groups = opt.param_groups
    if change == "append":
        groups.append({**groups[0], "params": [np.ones(3, F32)]})
    elif change == "remove":
        groups.pop()
    else:
        groups[1] = dict(groups[1])
    with pytest.raises(ValueError, match=r"param_groups itself was changed; .* add_param_group"):
        opt.step([np.ones_like(p), np.ones_like(q)])
    assert not opt.state
    assert (p == 1).all()
    assert (q == 1).all()


@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize("failure", ["skip", "raise", "overlap"])
def test_a_first_step_that_fails_leaves_no_state(failure: str, backend: str | None) -> None:
    """SGD's first buffer is the gradient itself, and Rprop's first step size the rate then."""
    how = "propagate" if failure == "overlap" else failure
    makes: list[Callable[[Any], fs.Optimizer]] = [
        lambda p: fs.SGD(p, momentum=0.5, dampening=0.5, nonfinite=how, backend=backend),
        lambda p: fs.Rprop(p, lr=0.25, nonfinite=how, backend=backend),
    ]
    for make in makes:
        p, twin = np.ones(3, F32), np.ones(3, F32)
        opt, fresh = make([p]), make([twin])
        try:
            info = opt.step([p if failure == "overlap" else np.array([1, np.nan, 1], F32)])
            assert not info.applied
        except ValueError:
            assert failure != "skip"
        assert not opt.state
        for optimizer in (opt, fresh):
            optimizer.param_groups[0]["lr"] = 0.125
            optimizer.step([np.array([2, -1, 0], F32)])
            optimizer.step([np.array([2, 1, 0], F32)])
        assert p.tobytes() == twin.tobytes()
        assert opt.state[0]["step"] == 2


def test_a_first_update_that_fails_fixes_nothing() -> None:
    opt = fs.Adam()
    first = np.ones(2)
    with pytest.raises(ValueError, match="gradient of parameter 0 has shape"):
        opt.update([first], [np.ones(3)])
    opt.update({"w": np.ones(5)}, {"w": np.ones(5)})
    assert list(opt.state) == ["w"]


def test_a_number_beyond_float64() -> None:
    with pytest.raises(ValueError, match="finite number >= 0"):
        fs.SGD(two(), lr=10**400)


@pytest.mark.parametrize("backend", [None, "reference"])
def test_a_norm_that_is_not_finite_obeys_nonfinite(backend: str | None) -> None:
    bad = [np.ones(3, F32), np.array([1, np.nan, 1], F32)]
    huge = [np.full(3, 1e300), np.ones(2)]  # finite, but their squares are not
    for grads, message in ((bad, "gradient of parameter 1 is not"), (huge, "norm .* overflows")):
        params = [np.ones(g.shape, g.dtype) for g in grads]
        with pytest.raises(fs.NonFiniteError, match=message):
            fs.Adam(params, nonfinite="raise", backend=backend).step(grads, max_norm=1.0)
        skipping = fs.Adam(params, nonfinite="skip", backend=backend)
        info = skipping.step(grads, max_norm=1.0)
        assert not info.applied
        assert info.grad_norm is not None
        assert not np.isfinite(info.grad_norm)
        assert skipping.skipped_steps == 1
        assert all((p == 1).all() for p in params)


def test_caches_see_what_happens_between_two_steps() -> None:
    """Whatever a step remembers of the last one is held against what is there now."""
    rng = np.random.default_rng(0)
    p, twin = np.ones(6, F32), np.ones(6, F32)
    opt, fresh = fs.Adam([p]), fs.Adam([twin], backend="reference")

    def both(g: Any) -> None:
        opt.step([g])
        fresh.step([g])
        assert p.tobytes() == twin.tobytes()

    g = rng.standard_normal(6).astype(F32)
    both(g)
    g.resize(3, refcheck=False)
    with pytest.raises(ValueError, match=r"shape \(3,\), wanted \(6,\)"):
        opt.step([g])
    g.resize(6, refcheck=False)
    both(g)
    g.dtype = np.dtype(np.int32)  # the same object, the same memory
    with pytest.raises(TypeError, match="int32"):
        opt.step([g])
    g.dtype = np.dtype(">f4")
    both(g)
    both(rng.standard_normal(6))
    both(rng.standard_normal(12).astype(F32)[::2])
    for options in opt.param_groups, fresh.param_groups:
        options[0]["lr"] = 0.5
        options[0]["_extra"] = object()  # no option: no business of ours
    both(rng.standard_normal(6).astype(F32))
    del opt.param_groups[0]["eps"]
    with pytest.raises(ValueError, match="has no 'eps'"):
        opt.step([p * 1])
    opt.param_groups[0]["eps"] = 1e-8  # at the end of the dict now
    both(rng.standard_normal(6).astype(F32))
    opt.param_groups[0]["params"][0] = p.copy()
    with pytest.raises(ValueError, match="use add_param_group"):
        opt.step([p * 1])
    opt.param_groups[0]["params"][0] = p
    opt.state[0]["exp_avg"].shape = (2, 3)
    with pytest.raises(ValueError, match=r'"exp_avg" of parameter 0 has shape .* as before'):
        opt.step([p * 1])
    opt.state[0]["exp_avg"].shape = (6,)
    # A gradient that was clear of everything is not so for ever: its memory becomes a parameter.
    shared = np.ones(6, F32)
    both(shared)
    opt.add_param_group({"params": [shared]})
    with pytest.raises(ValueError, match="gradient of parameter 0 overlaps parameter 1"):
        opt.step([shared, None])
    assert opt.state[0]["step"] == fresh.state[0]["step"]
