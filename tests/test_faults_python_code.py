"""Python code that runs within a step: it can free or resize what the step is about to write."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.programs import output

#: Every moment at which Python code, a signal's handler say, can run in a step: a profile hook
#: shrinks a parameter there. In a process of its own: it used to end by a signal.
RESIZED = """
import sys
import numpy as np, ferrostep as fs
fs.set_num_threads(1)
N = 1 << 18  # memory that is given back to the system at once

class Sub(np.ndarray):
    def __array_function__(self, func, types, args, kwargs):
        return super().__array_function__(func, types, args, kwargs)

class Filling(np.ndarray):
    def fill(self, value):
        np.ndarray.fill(self, value)

class Many(list):
    pass

def factory(key, name, like, dtype):
    return np.zeros(like.shape, dtype).view(Filling)

def columns(z):
    both = np.zeros((100, 2), np.float32)
    return [z, both[:, 0], both[:, 1]]

def subclass(z):
    both = np.zeros((100, 2), np.float32)
    return [z, both[:, 0].view(Sub), both[:, 1].view(Sub)]

CASES = {
    "columns": (columns, {}, {}),
    "a subclass": (subclass, {}, {}),
    "a factory": (lambda z: [z], {"state_factory": factory}, {}),
    "a norm": (columns, {}, {"max_norm": 1.0}),
    "skipping": (columns, {"nonfinite": "skip"}, {}),
    "the reference": (lambda z: [z], {"backend": "reference"}, {"max_norm": 1.0}),
}
params_of, options, scaling = CASES[sys.argv[1]]
outcomes = set()
event = 1
while True:
    z = np.ones(N, np.float32)
    opt = fs.Momentum(params_of(z), lr=1.0, **options)
    grads = Many(np.ones(p.shape, np.float32) for p in opt.param_groups[0]["params"])
    seen = 0

    def hook(*_):
        global seen
        seen += 1
        if seen == event:
            z.resize(1, refcheck=False)

    sys.setprofile(hook)
    try:
        opt.step(grads, **scaling)
    except (ValueError, RuntimeError) as error:
        sys.setprofile(None)
        text = str(error)
        assert "changed" in text or "shape" in text, text
        assert (z == 1).all() and not opt.state, "refused, and written"
        outcomes.add("refused")
    else:
        sys.setprofile(None)
        outcomes.add("stepped")
    if seen < event:
        break
    event += 1
print(event > 5, sorted(outcomes))
"""


@pytest.mark.parametrize(
    "case", ["columns", "a subclass", "a factory", "a norm", "skipping", "the reference"]
)
def test_a_parameter_that_is_resized_within_a_step(case: str) -> None:
    assert output(RESIZED, case) == ["True ['refused', 'stepped']"]


class Lying(np.ndarray):
    """Has other answers than NumPy's for whatever it is asked."""

    def __array_function__(self, func: Any, *_: Any) -> Any:
        return False if func is np.shares_memory else NotImplemented

    def fill(self, value: float) -> None:
        """Does nothing."""

    def __setitem__(self, key: Any, value: Any) -> None:
        raise RuntimeError("not to be written")


@pytest.mark.parametrize("backend", [None, "reference"])
def test_a_subclass_has_no_say_in_a_step(backend: str | None) -> None:
    whole = np.ones(8)
    with pytest.raises(ValueError, match="overlap"):
        fs.Adam([whole[:5].view(Lying), whole[3:].view(Lying)], backend=backend)
    p, q = np.ones(5), np.ones(5)
    opt = fs.Rprop([p.view(Lying)], backend=backend)
    twin = fs.Rprop([q])
    for g in (np.ones(5), np.arange(5) - 2.0):
        opt.step([g.view(Lying)])
        twin.step([g])
    assert p.tobytes() == q.tobytes() != np.ones(5).tobytes()
    with pytest.raises(ValueError, match="the gradient of parameter 0 overlaps"):
        opt.step([p.view(Lying)])


def test_state_that_a_factory_makes_is_filled_whatever_its_class() -> None:
    def factory(key: Any, name: str, like: Any, dtype: Any) -> Any:
        return np.full(like.shape, 7.0, dtype).view(Lying)

    p, q = np.ones(5), np.ones(5)
    fs.Momentum([p], state_factory=factory).step([np.ones(5)])
    fs.Momentum([q]).step([np.ones(5)])
    assert p.tobytes() == q.tobytes()


def test_a_subclass_has_no_say_in_loading() -> None:
    def factory(key: Any, name: str, like: Any, dtype: Any) -> Any:
        return np.empty(like.shape, dtype).view(Lying)

    opt = fs.Momentum([np.ones(5)])
    opt.step([np.arange(5.0)])
    other = fs.Momentum([np.zeros(5).view(Lying)], state_factory=factory)
    other.load_state_dict(opt.state_dict())
    assert np.asarray(other.state[0]["velocity"]).tobytes() == opt.state[0]["velocity"].tobytes()


def _bound_method() -> fs.Optimizer:
    class Maker:
        opt: Any

        def make(self, key: Any, name: str, like: Any, dtype: Any) -> Any:
            return np.empty_like(like, dtype=dtype)

    maker = Maker()
    maker.opt = fs.Adam([np.zeros(3)], state_factory=maker.make)
    return maker.opt


def _closure() -> fs.Optimizer:
    holder: list[Any] = []
    opt = fs.Adam(
        [np.zeros(3)],
        state_factory=lambda key, name, like, dtype: holder and np.empty_like(like, dtype=dtype),
    )
    holder.append(opt)
    return opt


def _in_a_group() -> fs.Optimizer:
    opt = fs.Adam([np.zeros(3)])
    opt.param_groups[0]["_schedule"] = fs.schedulers.StepLR(opt, 10)
    return opt


class Sub(np.ndarray):
    opt: Any


def _a_parameter() -> fs.Optimizer:
    p = np.zeros(3).view(Sub)
    opt = fs.Adam([p])
    p.opt = opt
    return opt


def _a_container() -> fs.Optimizer:
    params: Any = {"w": np.zeros(3)}
    opt = fs.Adam(params)
    params["opt"] = opt
    return opt


def _state_that_waits() -> fs.Optimizer:
    opt = fs.Adam()
    other = fs.Adam([np.zeros(3).view(Sub)])
    other.step([np.ones(3)])
    opt.load_state_dict(other.state_dict())
    opt.state[0]["exp_avg"].flags  # noqa: B018  it is there
    opt._me = opt  # type: ignore[attr-defined]
    return opt


def _an_owner() -> fs.Optimizer:
    class Memory(bytearray):
        opt: Any

    memory = Memory(24)
    opt = fs.Adam()
    opt.update(np.frombuffer(memory), np.ones(3))
    memory.opt = opt
    return opt


CYCLES = [
    *(_bound_method, _closure, _in_a_group, _a_parameter, _a_container, _state_that_waits),
    _an_owner,
]


@pytest.mark.parametrize("make", CYCLES)
def test_cycles_through_the_native_half_are_collected(make: Callable[[], fs.Optimizer]) -> None:
    known = []
    for _ in range(5):
        opt = make()
        if opt._bound:
            opt.step({"w": np.ones(3)} if opt._names else [np.ones(3)])
        known.append(weakref.ref(opt))
        del opt
    gc.collect()
    assert [ref() for ref in known] == [None] * 5
