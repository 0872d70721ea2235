"""`remove_param_group`: parameters and state go, the others stay as they are."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import TENSORWISE_CASES, Case
from ferrostep import schedulers
from support.arrays import assert_same_bits, assert_same_state, gradients


def groups() -> list[dict[str, Any]]:
    """Three groups of one, two and one parameters."""
    rng = np.random.default_rng(1)
    a, b, c, d = (rng.standard_normal(n) for n in (3, 2, 5, 4))
    return [{"params": [a], "lr": 0.1}, {"params": [b, c]}, {"params": [d], "lr": 0.3}]


def grads(opt: fs.Optimizer, t: int) -> list[Any]:
    rng = np.random.default_rng(t)
    return [gradients(rng, p.shape, p.dtype) for p in opt._parameters()]


WIDE = [case for case in TENSORWISE_CASES if "state_dtype" not in case.options]


@pytest.mark.parametrize("case", WIDE, ids=lambda case: case.name)
@pytest.mark.parametrize("removed", [0, 1, 2, -1])
def test_the_others_go_on_as_without_it(case: Case, removed: int) -> None:
    opt = case.make(groups())
    twin = case.make(groups())
    sizes = [len(group["params"]) for group in opt.param_groups]
    start = sum(sizes[: removed % 3])
    gone = range(start, start + sizes[removed])
    for t in range(6):
        given = grads(twin, t)
        twin.step(given)
        if t < 3:
            opt.step(given)
        else:
            if t == 3:
                opt.remove_param_group(removed)
            opt.step([g for i, g in enumerate(given) if i not in gone])
    left = [i for i in range(4) if i not in gone]
    for i, j in enumerate(left):
        assert_same_bits(opt._parameters()[i], twin._parameters()[j])
    state, theirs = opt.state_dict()["state"], twin.state_dict()["state"]
    for i, j in enumerate(left):
        assert (i in state) == (j in theirs)
        for name, value in state.get(i, {}).items():
            np.testing.assert_array_equal(value, theirs[j][name])
    assert [group["lr"] for group in opt.param_groups] == [
        group["lr"] for i, group in enumerate(twin.param_groups) if i != removed % 3
    ]


def named() -> tuple[fs.Optimizer, dict[str, Any], dict[str, Any]]:
    body, head = {"layers": [{"w": np.zeros(3)}, None]}, {"head": np.zeros(2)}
    opt = fs.Momentum([{"params": body}, {"params": head}], lr=1.0)
    opt.step({"layers.0.w": np.ones(3), "head": np.ones(2)})
    return opt, body, head


def test_names_trees_and_groups_that_are_added_again() -> None:
    opt, body, _ = named()
    opt.remove_param_group(0)
    assert list(opt.state) == ["head"]
    opt.step({"head": np.ones(2)})
    opt.add_param_group({"params": body})
    opt.step([{"head": np.ones(2)}, {"layers": [{"w": np.ones(3)}, None]}])
    assert [entry["step"] for entry in opt.state.values()] == [3, 1]
    opt.remove_param_group(0)
    opt.step({"layers": [{"w": np.ones(3)}, None]})
    assert list(opt.state) == ["layers.0.w"]


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_copies_and_state_dicts_afterwards(how: Callable[[Any], Any]) -> None:
    opt, _, _ = named()
    opt.remove_param_group(0)
    twin = how(opt)
    assert_same_state(twin, opt)
    twin.step({"head": np.ones(2)})
    fresh = fs.Momentum({"head": np.zeros(2)})
    fresh.load_state_dict(opt.state_dict())
    assert_same_state(fresh, opt)


def test_what_it_came_in_is_no_longer_watched_and_the_rest_is() -> None:
    opt, body, head = named()
    opt.remove_param_group(0)
    body["layers"][0]["w"] = body["layers"][1] = None
    body["layers"] = []
    opt.step({"head": np.ones(2)})
    head["head"] = np.zeros(2)
    with pytest.raises(ValueError, match="parameter 'head' was replaced in your dict"):
        opt.step({"head": np.ones(2)})


def test_one_container_of_all_groups() -> None:
    a, b, c = (np.zeros(n) for n in (3, 2, 4))
    opt = fs.SGD([{"params": {"a": a}}, {"params": {"b": b}}, {"params": {"c": c}}], lr=1.0)
    whole = {"a": a, "b": b, "c": c}
    opt.rebind(whole)
    opt.remove_param_group(1)
    whole["b"] = np.zeros(1)
    opt.step({"a": np.ones(3), "c": np.ones(4)})
    for name, size in (("a", 3), ("c", 4)):
        old, whole[name] = whole[name], np.zeros(size)
        with pytest.raises(ValueError, match=f"parameter '{name}' was replaced in your dict"):
            opt.step({"a": np.ones(3), "c": np.ones(4)})
        whole[name] = old
    # Of a list, what stands before it.
    unnamed = fs.SGD([{"params": [a]}, {"params": [b]}, {"params": [c]}], lr=1.0)
    params = [a, b, c]
    unnamed.rebind(params)
    unnamed.remove_param_group(1)
    del params[1]
    unnamed.step([np.ones(3), np.ones(4)])
    params[0] = np.zeros(3)
    with pytest.raises(ValueError, match="parameter 0 was replaced in your list"):
        unnamed.step([np.ones(3), np.ones(4)])


BAD: list[tuple[Any, type[Exception], str]] = [
    (3, ValueError, "index must be that of one of 3 groups, from -3 to 2, found 3"),
    (-4, ValueError, "from -3 to 2, found -4"),
    (10**30, ValueError, "from -3 to 2, found 10000"),
    (1.0, TypeError, "index must be an integer, found float"),
    ("0", TypeError, "index must be an integer, found str"),
    (None, TypeError, "index must be an integer, found NoneType"),
    ({}, TypeError, "index must be an integer, found dict"),
    (True, TypeError, "index must be an integer, found bool"),
]


@pytest.mark.parametrize(("index", "error", "message"), BAD)
def test_bad_input(index: Any, error: type[Exception], message: str) -> None:
    opt = fs.Adam(groups())
    opt.step(grads(opt, 0))
    before = list(map(id, opt.param_groups)), opt.state_dict()
    with pytest.raises(error, match=message):
        opt.remove_param_group(index)
    assert list(map(id, opt.param_groups)) == before[0]
    np.testing.assert_equal(opt.state_dict(), before[1])
    opt.step(grads(opt, 1))


def test_the_last_group_and_unbound_ones_stay() -> None:
    opt = fs.Adam(groups())
    opt.remove_param_group(0)
    opt.remove_param_group(-1)
    with pytest.raises(ValueError, match="the last group cannot be removed"):
        opt.remove_param_group(0)
    opt.step(grads(opt, 0))
    with pytest.raises(ValueError, match=r"this optimizer is unbound, .*; call reset\(\)"):
        fs.Adam().remove_param_group(0)
    opt.param_groups.append({})
    with pytest.raises(ValueError, match="param_groups itself was changed"):
        opt.remove_param_group(0)


def test_names_that_were_missing_are_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    opt = fs.SGD([{"params": {"a": np.zeros(1)}}, {"params": {"b": np.zeros(1)}}], missing="skip")
    for _ in range(60):
        opt.step({"b": np.ones(1)})
    opt.remove_param_group(0)
    opt.add_param_group({"params": {"c": np.zeros(1)}})
    for _ in range(99):
        opt.step({"b": np.ones(1)})
    assert not caplog.records
    opt.step({"b": np.ones(1)})
    (record,) = caplog.records
    assert "'c' has had no gradient in 100 steps" in record.getMessage()


def test_a_step_that_waits_is_outdated() -> None:
    opt = fs.Adam(groups())
    opt._prepare(grads(opt, 0))
    opt.remove_param_group(1)
    with pytest.raises(RuntimeError, match="have changed since this step was prepared"):
        opt._commit()
    assert not opt.state
    opt.step(grads(opt, 0))


def lambdas(opt: fs.Optimizer) -> Any:
    return schedulers.LambdaLR(opt, [lambda e, i=i: 1 / (e + i) for i in (1, 2, 3)])


def cycle(opt: fs.Optimizer) -> Any:
    top = [0.1, 0.2, 0.3]
    return schedulers.OneCycleLR(opt, max_lr=top, total_steps=50, cycle_momentum=False)


def sequence(opt: fs.Optimizer) -> Any:
    parts = [schedulers.LinearLR(opt), schedulers.StepLR(opt, 2)]
    return schedulers.SequentialLR(opt, parts, milestones=[2])


def steps(opt: fs.Optimizer) -> Any:
    return schedulers.StepLR(opt, step_size=2)


@pytest.mark.parametrize("make", [steps, lambdas, cycle, sequence])
@pytest.mark.parametrize("removed", [0, 1, 2])
@pytest.mark.parametrize("added", [0, 1, 2])
@pytest.mark.parametrize("copied", [False, True])
def test_no_scheduler_pairs_a_rate_with_another_group(
    make: Any, removed: int, added: int, copied: bool
) -> None:
    opt = fs.SGD(groups())
    scheduler = make(opt)
    scheduler.step()
    if copied and make is not lambdas:
        opt, scheduler = pickle.loads(pickle.dumps((opt, scheduler)))
        scheduler.step()
    opt.remove_param_group(removed)
    for _ in range(added):
        opt.add_param_group({"params": [np.zeros(2)]})
    rates, epoch = [group["lr"] for group in opt.param_groups], scheduler.last_epoch
    for _ in range(2):
        with pytest.raises(
            ValueError, match=r"has other groups in the place of those .*; make a n"
        ):
            scheduler.step()
        assert ([g["lr"] for g in opt.param_groups], scheduler.last_epoch) == (rates, epoch)
    if not added and isinstance(scheduler, schedulers.StepLR):
        resumed = schedulers.StepLR(opt, step_size=2, last_epoch=epoch)
        resumed.step()
        assert resumed.last_epoch == epoch + 2


def test_a_plateau_of_one_bound_follows_and_of_several_does_not() -> None:
    for min_lr, follows in [(0.01, True), ([0.01, 0.02, 0.03], False)]:
        opt = fs.SGD(groups())
        plateau = schedulers.ReduceLROnPlateau(opt, patience=0, factor=0.5, min_lr=min_lr)
        plateau.step(1.0)
        opt.remove_param_group(0)
        opt.add_param_group({"params": [np.zeros(2)], "lr": 0.8})
        if follows:
            plateau.step(2.0)
            assert opt.param_groups[-1]["lr"] == 0.4
        else:
            with pytest.raises(ValueError, match="ReduceLROnPlateau was made for"):
                plateau.step(2.0)


def test_groups_that_all_became_other_dicts_are_another_librarys_loading() -> None:
    optimizer = SimpleNamespace(param_groups=[{"lr": 0.1}, {"lr": 0.2}])
    scheduler = schedulers.StepLR(optimizer, step_size=1)
    optimizer.param_groups = [dict(group) for group in optimizer.param_groups]
    scheduler.step()
    optimizer.param_groups = [optimizer.param_groups[0], {"lr": 1.0, "initial_lr": 1.0}]
    with pytest.raises(ValueError, match="has other groups in the place"):
        scheduler.step()
