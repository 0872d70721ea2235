"""Loading is all or nothing: interrupts at every moment, and what raises on the way back."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from ferrostep import schedulers as sched
from ferrostep.loading import Loading
from support.interrupts import interrupts

# An interrupt while an object is let go is one that CPython only tells of.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Decay:
    """A callable with attributes."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, epoch: int) -> float:
        return self.rate**epoch


class Halving(sched.LRScheduler):
    """A user's subclass with a `load_state_dict` of its own."""

    def __init__(self, optimizer: Any, every: int) -> None:
        self.every, self.seen = every, [every]
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        return [base * 0.5 ** (self.last_epoch // self.every) for base in self.base_lrs]

    def load_state_dict(self, state_dict: Any) -> None:
        self.seen[:] = [*self.seen, *state_dict["seen"]]
        self.more = True
        super().load_state_dict({**state_dict, "seen": list(self.seen), "more": True})
        del self.more
        self.seen[:] = state_dict["seen"]


class Plain:
    """A user's scheduler that knows nothing of ours, with slots, and sets rates as it loads."""

    __slots__ = ("optimizer", "values")

    def __init__(self, optimizer: Any, value: int) -> None:
        self.optimizer, self.values = optimizer, [value]

    def state_dict(self) -> dict[str, Any]:
        return {"values": self.values, "lr": self.optimizer.param_groups[0]["lr"]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.values.clear()
        self.optimizer.param_groups[0]["lr"] = state["lr"]
        self.values.extend(state["values"])


MAKERS: dict[str, Callable[[Any, int], Any]] = {
    "step": lambda o, n: sched.StepLR(o, n, gamma=1 / n),
    "multi step": lambda o, n: sched.MultiStepLR(o, [n, 2 * n]),
    "exponential": lambda o, n: sched.ExponentialLR(o, 1 / n),
    "linear": lambda o, n: sched.LinearLR(o, 1 / n, total_iters=n),
    "cosine": lambda o, n: sched.CosineAnnealingLR(o, n),
    "cycle": lambda o, n: sched.OneCycleLR(o, 0.5, total_steps=4 * n),
    "plateau": lambda o, n: sched.ReduceLROnPlateau(o, patience=n, min_lr=[0.01 / n] * 2),
    "lambda": lambda o, n: sched.LambdaLR(o, [Decay(1 / n), lambda epoch: 1.0]),
    "sequence": lambda o, n: sched.SequentialLR(
        o, [sched.LambdaLR(o, Decay(1 / n)), sched.StepLR(o, n), Halving(o, n)], [2, n]
    ),
    "user's": Halving,
    "user's own": lambda o, n: Plain(o, n),
}


def optimizer() -> fs.Optimizer:
    groups = [{"params": [np.zeros(2)], "lr": 0.1}, {"params": [np.zeros(1)], "lr": 0.02}]
    return fs.SGD(groups, momentum=0.9)


def moved(name: str, number: int) -> Any:
    """A scheduler that has gone some way, other ones by other numbers."""
    made = MAKERS[name](optimizer(), number)
    for _ in range(number if hasattr(made, "step") else 0):
        made.step(*([1.0] if name == "plateau" else []))
    return made


def contents(scheduler: Any) -> Any:
    """All that there is of it, order and attributes included."""
    state = copy.deepcopy(scheduler.state_dict())
    groups = [{**g, "params": None} for g in scheduler.optimizer.param_groups]
    inner = [contents(s) for s in getattr(scheduler, "_schedulers", ())]
    return repr((state, list(getattr(scheduler, "__dict__", ())), groups, inner))


@pytest.mark.parametrize("name", MAKERS)
def test_an_interrupted_load_state_dict_is_all_or_nothing(name: str) -> None:
    target, source = moved(name, 3), moved(name, 5).state_dict()
    old = contents(target)
    target.load_state_dict(copy.deepcopy(source))
    new = contents(target)
    assert old != new
    if name.startswith("user's"):
        return  # what its own code does is its own business; ours only where we call it
    found = set()

    def load() -> Callable[[], object]:
        nonlocal target
        target = moved(name, 3)
        state = copy.deepcopy(source)
        return lambda: target.load_state_dict(state)

    for event in interrupts(load):
        found.add(contents(target))
        assert found <= {old, new}, event
    assert found == {old, new}


@pytest.mark.parametrize("name", MAKERS)
def test_an_interrupted_step_is_all_or_nothing(name: str) -> None:
    if name == "user's own":
        return
    target = moved(name, 3)
    old = contents(target)
    arguments = [1.0] if name == "plateau" else []
    target.step(*arguments)
    new = contents(target)

    def step() -> Callable[[], object]:
        nonlocal target
        target = moved(name, 3)
        return lambda: target.step(*arguments)

    for event in interrupts(step):
        assert contents(target) in (old, new), event


class Run:
    """An optimizer with parameters, and all schedulers."""

    def __init__(self, number: int, *, refuses: bool = False) -> None:
        self.params = {"W": np.full((2, 3), float(number)), "b": np.full(3, float(number))}
        self.opt = fs.Adam(self.params, lr=0.1 / number)
        for _ in range(number):
            self.opt.step({name: p * 0.5 for name, p in self.params.items()})
        self.schedulers = [moved(name, number) for name in ("lambda", "user's", "user's own")]
        if refuses:
            self.schedulers.append(Refusing(number))

    def save(self, path: Path) -> None:
        fs.save_checkpoint(path, optimizer=self.opt, params=self.params, schedulers=self.schedulers)

    def load(self, path: Path) -> None:
        fs.load_checkpoint(path, optimizer=self.opt, params=self.params, schedulers=self.schedulers)

    def contents(self) -> str:
        state = {
            key: {n: np.asarray(a).tobytes() for n, a in entry.items()}
            for key, entry in self.opt.state.items()
        }
        groups = [{**g, "params": None} for g in self.opt.param_groups]
        params = [p.tobytes() for p in self.params.values()]
        return repr((params, state, groups, [contents(s) for s in self.schedulers]))


class Refusing(sched.StepLR):
    """Refuses what it is given, half loaded, and then to go back as well."""

    def __init__(self, number: int) -> None:
        super().__init__(optimizer(), number)
        self.ready = True

    def load_state_dict(self, state_dict: Any) -> None:
        self.step_size = state_dict["step_size"]
        self.half = "loaded"
        raise RuntimeError("no")


@pytest.mark.parametrize("refuses", [False, True])
def test_an_interrupted_load_checkpoint_is_all_or_nothing(refuses: bool, tmp_path: Path) -> None:
    Run(5, refuses=refuses).save(tmp_path / "f")
    run = Run(3, refuses=refuses)
    old = run.contents()
    if refuses:
        with pytest.raises(ValueError, match="Refusing refuses its state: no"):
            run.load(tmp_path / "f")
        assert run.contents() == old
        wanted = {old}
    else:
        run.load(tmp_path / "f")
        wanted = {old, run.contents()}
        assert len(wanted) == 2
    found = set()

    def load() -> Callable[[], object]:
        nonlocal run
        if not found or run.contents() != old:
            run = Run(3, refuses=refuses)
        return lambda: run.load(tmp_path / "f")

    for event in interrupts(load, since=Loading.take_over):
        found.add(run.contents())
        assert found <= wanted, event
    assert found == wanted


def test_an_undo_that_raises_does_not_stop_the_others() -> None:
    undone, loading = [], Loading()
    final: list[int] = []

    def fails(what: str, error: type[BaseException]) -> None:
        undone.append(what)
        raise error(what)

    loading.try_first(lambda: None, lambda: undone.append("first"))
    loading.try_first(lambda: None, lambda: fails("second", RuntimeError))
    loading.try_first(lambda: None, lambda: fails("third", SystemExit))
    loading.try_first(lambda: fails("do", ValueError), lambda: undone.append("fourth"))
    loading.add(lambda: final.append(1))
    with pytest.raises(SystemExit) as caught:
        loading.take_over()
    assert undone == ["do", "fourth", "third", "third", "second", "first"]
    assert final == []
    error = caught.value.__context__
    assert isinstance(error, ValueError)
    assert error.__notes__ == [
        "not everything could be taken back: SystemExit('third')",
        "not everything could be taken back: RuntimeError('second')",
    ]


@pytest.mark.parametrize("bad", [5, "ab", [1], [("rate", 2), 3], {1: 2}, None])
def test_a_lambda_s_state_that_is_none_changes_nothing(bad: Any) -> None:
    target = moved("lambda", 3)
    old = contents(target)
    with pytest.raises(ValueError, match="lr_lambdas in state_dict must have a dict"):
        target.load_state_dict({**target.state_dict(), "lr_lambdas": [bad, None]})
    with pytest.raises(TypeError, match="must be a dict, found int"):
        target.load_state_dict(5)
    assert contents(target) == old


def test_a_callable_loses_what_a_refused_file_gave_it(tmp_path: Path) -> None:
    source, target = Decay(0.5), Decay(0.25)
    source.more = 1  # type: ignore[attr-defined]
    pair = [sched.LambdaLR(optimizer(), source), Refusing(2)]
    fs.save_checkpoint(tmp_path / "f", schedulers=pair)
    others = [sched.LambdaLR(optimizer(), target), Refusing(3)]
    with pytest.raises(ValueError, match="Refusing refuses its state"):
        fs.load_checkpoint(tmp_path / "f", schedulers=others)
    assert vars(target) == {"rate": 0.25}


def test_a_sequence_takes_its_schedulers_back_with_it() -> None:
    """Also from a step that fails, of which the inner one was done."""
    opt = optimizer()
    inner = [sched.LambdaLR(opt, Decay(0.5)), Refusing(4)]
    inner[1].optimizer = opt
    target = sched.SequentialLR(opt, inner, [3])
    state = copy.deepcopy(target.state_dict())
    target.step()
    old = contents(target)
    with pytest.raises(ValueError, match="Refusing refuses its state"):
        target.load_state_dict(state)
    assert contents(target) == old
