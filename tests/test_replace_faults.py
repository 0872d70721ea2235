"""`replace` and `remove_param_group` happen wholly or not at all, whatever happens meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.arrays import arrays_in, assert_same_state, numbers_in
from support.interrupts import interrupts
from support.programs import in_child, output


def made(factory: Any = None) -> tuple[fs.Optimizer, dict[str, Any]]:
    params = {"w": np.zeros((4, 3)), "b": np.zeros(2)}
    opt = fs.Adam([{"params": params}, {"params": {"c": np.ones(3)}}], state_factory=factory)
    opt.step({"w": np.arange(12.0).reshape(4, 3), "b": np.ones(2), "c": np.ones(3)})
    return opt, params


def seen(opt: fs.Optimizer, params: dict[str, Any]) -> list[Any]:
    held = [p for group in opt.param_groups for p in group["params"]]
    assert all(a is b for a, b in zip(held, opt._parameters(), strict=True))
    states = [
        (name, numbers_in(entry), [array.tolist() for array in arrays_in(entry).values()])
        for name, entry in opt.state.items()
    ]
    return [[id(p) for p in held], [id(p) for p in params.values()], states]


NEW = np.ones((5, 3))


def grow(opt: fs.Optimizer) -> None:
    opt.replace("w", NEW, [3, -1, 0, 0, 2])


def shrink(opt: fs.Optimizer) -> None:
    opt.remove_param_group(0)


def in_memory(key: Any, name: str, like: Any, dtype: Any) -> Any:
    return np.empty_like(like, dtype)


# One that meets the end of a generator is dropped by CPython.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("change", [grow, shrink])
@pytest.mark.parametrize("factory", [None, in_memory])
def test_an_interrupt_at_any_moment(change: Callable[[fs.Optimizer], None], factory: Any) -> None:
    whole, _ = made(factory)
    change(whole)
    wanted, found = seen(whole, {})[2], set()
    now: list[Any] = []

    def call() -> Callable[[], object]:
        opt, params = made(factory)
        now[:] = [opt, params, seen(opt, params)]
        return lambda: change(opt)

    for event in interrupts(call):
        opt, params, before = now
        after = seen(opt, params)
        assert after == before or after[2] == wanted, event
        if change is grow:
            assert (params["w"] is NEW) == (after != before), event
        found.add(after != before)
        # It can be done again, or goes on.
        if after == before:
            change(opt)
        opt.step({n: np.ones_like(p) for n, p in zip(opt._keys(), opt._parameters(), strict=True)})
    assert found == {False, True}


class Fails:
    """A factory that fails, or makes what is refused, when it is asked for the last array."""

    def __init__(self, how: str) -> None:
        self.how, self.armed = how, False

    def __call__(self, key: Any, name: str, like: Any, dtype: Any) -> Any:
        if not self.armed or name != "exp_avg_sq":
            return np.empty_like(like, dtype)
        match self.how:
            case "memory":
                raise MemoryError("none left")
            case "error":
                raise OSError("no disk")
            case "shape":
                return np.empty(7, dtype)
            case "dtype":
                return np.empty_like(like, np.float32)
            case "parameter":
                return like
            case "other":
                return self.other
            case "calls":
                self.opt.step([None, None, None])
            case "list":
                self.opt.param_groups[0]["params"].append(like)
            case "container":
                self.params["w"] = np.zeros((4, 3))
            case "resizes":
                like.resize((2, 3), refcheck=False)
        return np.empty((5, 3), dtype)


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ("memory", MemoryError, "none left"),
        ("error", OSError, "no disk"),
        ("shape", ValueError, r"from state_factory has shape \(7,\) .*, wanted shape \(5, 3\)"),
        ("dtype", TypeError, "from state_factory has .* float32, wanted .* float64"),
        (
            "parameter",
            ValueError,
            "parameter 'w' and state \"exp_avg_sq\" of parameter 'w' are the",
        ),
        ("other", ValueError, "parameter 'b' and state \"exp_avg_sq\" of parameter 'w' overlap"),
        ("calls", RuntimeError, "called from within its own step"),
        ("list", ValueError, '"params" of a group were changed'),
        ("container", ValueError, "'w' must be the old or the new array in your dict"),
        ("resizes", RuntimeError, "'w' was changed"),
    ],
)
def test_a_factory_that_fails(how: str, error: type[Exception], message: str) -> None:
    factory = Fails(how)
    opt, params = made(factory)
    old, before = params["w"], seen(opt, params)
    big = np.zeros(40)
    if how == "other":
        params["b"] = big[:2]
        opt.rebind({**params, "c": opt._parameters()[2]})
        before = seen(opt, params)
        factory.other = big[1:16].reshape(5, 3)
    factory.armed, factory.opt, factory.params = True, opt, params
    with pytest.raises(error, match=message):
        opt.replace("w", np.ones((5, 3)))
    if how == "list":
        opt.param_groups[0]["params"].pop()
    params["w"] = old
    assert seen(opt, params) == before
    factory.armed = False
    opt.replace("w", np.ones((5, 3)))
    opt.step({"w": np.ones((5, 3)), "b": np.ones(2), "c": np.ones(3)})


def test_state_on_disk(tmp_path: Path) -> None:
    big = np.zeros((100, 200))
    opts = [fs.Adam({"w": big.copy()}, state_factory=f) for f in (None, fs.MemmapState(tmp_path))]
    for opt in opts:
        opt.step({"w": np.arange(20_000.0).reshape(100, 200)})
        opt.replace("w", np.zeros((150, 200)), [*range(99, 49, -1), *[-1] * 50, *range(50)])
        opt.step({"w": np.ones((150, 200))})
    assert_same_state(*opts)
    array = opts[1].state["w"]["exp_avg"]
    while isinstance(array, np.ndarray):
        array = array.base
    assert type(array).__name__ == "mmap"


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_state_that_a_forked_process_may_share_is_not_taken_along() -> None:
    opt, _ = made(in_memory)

    def child() -> str:
        try:
            opt.replace("w", NEW)
        except RuntimeError as error:
            return str(error)[:40]
        return "replaced"

    assert in_child(child) == "the state of this optimizer was made by "
    opt.replace("w", NEW)


LITTLE = """
import resource
import numpy as np, ferrostep as fs
from support.programs import digest
fs.set_num_threads(1)
N = 5_000_000
params = {"w": np.ones((N, 4), np.float32)}
opt = fs.Adam(params)
opt.step({"w": np.ones((N, 4), np.float32)})
new, before, old = np.ones((N + 1, 4), np.float32), digest(opt), params["w"]
index = np.arange(-1, N)
with open("/proc/self/statm") as f:
    used = int(f.read().split()[0]) * resource.getpagesize()
limit = resource.getrlimit(resource.RLIMIT_AS)
for more in (N, N * 12, N * 24, N * 36):  # the index; one state of two
    resource.setrlimit(resource.RLIMIT_AS, (used + more, limit[1]))
    try:
        opt.replace("w", new, index)
        print("done")
    except MemoryError:
        pass
    resource.setrlimit(resource.RLIMIT_AS, limit)
    print(digest(opt) == before, params["w"] is old)
opt.replace("w", new, index)
opt.step({"w": np.ones((N + 1, 4), np.float32)})
print(opt.state["w"]["exp_avg"][:2, 0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits its own address space")
def test_too_little_memory() -> None:
    assert output(LITTLE) == ["True True"] * 4 + ["[0.1  0.19]"]
