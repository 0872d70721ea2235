"""Schedule-free classes: parameters that train at one point and are evaluated at another."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.arrays import Array

CLASSES = [fs.ScheduleFreeSGD, fs.ScheduleFreeAdamW]
RNG = np.random.default_rng(20)


def made(cls: Any, dtype: str = "float64", **options: Any) -> tuple[list[Array], Any]:
    params = [np.linspace(-1, 2, 7).astype(dtype), np.linspace(3, 4, 6).reshape(2, 3).astype(dtype)]
    return params, cls(params, lr=0.1, weight_decay=0.05, **options)


def stepped(opt: Any, params: list[Array], count: int, seed: int = 1) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        opt.step([rng.standard_normal(p.shape).astype(p.dtype) for p in params])


@pytest.mark.parametrize("cls", CLASSES)
def test_the_average_is_that_of_all_points(cls: Any) -> None:
    params, opt = made(cls)
    path: list[list[Array]] = []
    for seed in range(5):
        stepped(opt, params, 1, seed)
        path.append([opt.state[i]["z"].copy() for i in range(2)])
    opt.eval()
    for i, p in enumerate(params):
        mean = np.mean([point[i] for point in path], axis=0)  # the rate is the same: so are weights
        np.testing.assert_allclose(p, mean, rtol=1e-13)
        assert opt.state[i]["averaged"] == 1.0


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_train_is_the_way_back(cls: Any, dtype: str) -> None:
    params, opt = made(cls, dtype)
    stepped(opt, params, 3)
    before = [p.copy() for p in params]
    opt.eval()
    average = [p.copy() for p in params]
    assert any(np.any(a != b) for a, b in zip(average, before, strict=True))
    opt.eval()  # it is there already
    opt.train()
    for p, b in zip(params, before, strict=True):
        np.testing.assert_allclose(p, b, rtol=8 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)
    back = [p.copy() for p in params]
    opt.train()
    assert all(np.array_equal(p, b) for p, b in zip(params, back, strict=True))


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("steps", [0, 2])
def test_a_step_of_the_average_is_an_error(cls: Any, steps: int) -> None:
    params, opt = made(cls)
    stepped(opt, params, steps)
    opt.eval()
    before = [p.copy() for p in params]
    for call in (opt.step, opt._prepare):
        with pytest.raises(ValueError, match=r"parameter 0 .*call train\(\) before a step"):
            call([np.ones_like(p) for p in params])
    with pytest.raises(ValueError, match=r"parameter 0 .*call train"):
        opt.step([None, np.ones_like(params[1])])
    assert all(np.array_equal(p, b) for p, b in zip(params, before, strict=True))
    opt.train()
    stepped(opt, params, 1)
    assert opt.state[0]["step"] == steps + 1


def test_a_group_that_came_meanwhile_waits_for_train() -> None:
    p, q = np.ones(2), np.ones(3)
    opt = fs.ScheduleFreeSGD([p], lr=0.1)
    opt.step([np.ones(2)])
    opt.eval()
    opt.add_param_group({"params": [q]})
    with pytest.raises(ValueError, match=r"parameter 0 .*call train"):
        opt.step([None, np.ones(3)])
    opt.train()
    opt.step([None, np.ones(3)])


def test_a_repeated_step_is_refused_too() -> None:
    params, opt = made(fs.ScheduleFreeSGD)
    grads = [np.ones_like(p) for p in params]
    for _ in range(3):
        opt.step(grads)
    opt.eval()
    with pytest.raises(ValueError, match="call train"):
        opt.step(grads)


@pytest.mark.parametrize("cls", CLASSES)
def test_state_that_is_made_before_begins_as_the_parameter_all_the_same(cls: Any) -> None:
    params, opt = made(cls)
    others, twin = made(cls)
    opt.init_state()
    opt.eval()
    opt.train()
    for one, its in ((opt, params), (twin, others)):
        stepped(one, its, 4)
    assert all(np.array_equal(p, q) for p, q in zip(params, others, strict=True))


def test_each_group_has_its_own_momentum_and_each_parameter_its_own_steps() -> None:
    p, q, alone = np.ones(3), np.full(5, 2.0), np.full(5, 2.0)
    opt = fs.ScheduleFreeSGD(
        [{"params": [p]}, {"params": [q], "momentum": 0.5, "lr": 0.3}], lr=0.1, momentum=0.9
    )
    twin = fs.ScheduleFreeSGD([alone], lr=0.3, momentum=0.5)
    for i in range(4):
        g = np.arange(5.0) - i
        opt.step([None if i else np.ones(3), g])
        twin.step([g])
    opt.eval()
    twin.eval()
    np.testing.assert_array_equal(q, alone)
    assert opt.state[0]["step"] == 1
    np.testing.assert_allclose(p, 0.9)


@pytest.mark.parametrize("averaged", [False, True])
def test_where_parameters_stand_is_saved_with_them(tmp_path: Any, averaged: bool) -> None:
    params, opt = made(fs.ScheduleFreeAdamW)
    stepped(opt, params, 3)
    if averaged:
        opt.eval()
    file = tmp_path / "run.safetensors"
    opt.save(file)
    others, twin = made(fs.ScheduleFreeAdamW)
    twin.load(file)
    if averaged:
        with pytest.raises(ValueError, match="call train"):
            stepped(twin, others, 1)
    for one, its in ((opt, params), (twin, others)):
        one.train()
        stepped(one, its, 2, seed=2)
        one.eval()
    assert all(np.array_equal(p, q) for p, q in zip(params, others, strict=True))


def test_names_and_layouts_are_those_of_any_optimizer() -> None:
    tree = {"w": np.ones((4, 6))[::2, ::-2], "b": np.zeros((), dtype="float32")}
    flat = {"w": np.ones((2, 3)), "b": np.zeros((), dtype="float32")}
    for params in (tree, flat):
        opt = fs.ScheduleFreeSGD(params, lr=0.1)
        for seed in range(3):
            rng = np.random.default_rng(seed)
            opt.step({name: rng.standard_normal(np.shape(p)) for name, p in params.items()})
        opt.eval()
    assert all(np.array_equal(tree[name], flat[name]) for name in tree)


def test_an_array_that_no_longer_fits_is_an_error_and_nothing_is_moved() -> None:
    params, opt = made(fs.ScheduleFreeSGD)
    stepped(opt, params, 2)
    before = params[0].copy()
    params[1].resize((3, 3), refcheck=False)
    with pytest.raises(ValueError, match="shape"):
        opt.eval()
    assert np.array_equal(params[0], before)
    assert opt.state[0]["averaged"] == 0.0


def test_two_threads_do_not_move_parameters_twice() -> None:
    params = [np.linspace(-1, 1, 200_000)]
    opt = fs.ScheduleFreeSGD(params, lr=0.1)
    stepped(opt, params, 2)
    twin = [params[0].copy()]
    again = fs.ScheduleFreeSGD(twin, lr=0.1)
    again.load_state_dict(opt.state_dict())
    again.eval()
    errors: list[Exception] = []

    def call() -> None:
        try:
            opt.eval()
        except RuntimeError as error:
            errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert np.array_equal(params[0], twin[0])
    assert all("eval() or train() meanwhile" in str(error) for error in errors)


@pytest.mark.parametrize("cls", CLASSES)
def test_what_would_be_wrong_without_a_word_is_refused(cls: Any) -> None:
    p = np.ones((4, 2))
    opt = cls([p], lr=0.1)
    with pytest.raises(TypeError, match="must be whole"):
        opt.step([fs.Rows([0], np.ones((1, 2)))])
    unbound = cls(lr=0.1)
    for call in (unbound.eval, unbound.train):
        with pytest.raises(ValueError, match="found an unbound one"):
            call()


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_rows_that_come_later_begin_at_their_values(cls: Any, dtype: str) -> None:
    p = np.arange(6, dtype=dtype).reshape(3, 2)
    opt = cls([p], lr=0.1)
    stepped(opt, [p], 2)
    z = opt.state[0]["z"].copy()
    new = np.concatenate([p[2:], [[7, 8]], p[:1]]).astype(dtype)
    opt.replace(0, new, [2, -1, 0])
    np.testing.assert_array_equal(opt.state[0]["z"], np.stack([z[2], [np.nan] * 2, z[0]]))
    opt.eval()
    np.testing.assert_array_equal(new[1], [7, 8])
    opt.train()
    stepped(opt, [new], 1, seed=5)
    own = cls([np.array([[7, 8]], dtype)], lr=0.1)
    g = np.random.default_rng(5).standard_normal(new.shape).astype(dtype)[1:2]
    own.step([g])
    assert cls is fs.ScheduleFreeAdamW or np.array_equal(own.state[0]["z"], opt.state[0]["z"][1:2])


@pytest.mark.parametrize(
    ("cls", "name", "value", "wanted"),
    [
        (fs.ScheduleFreeSGD, "momentum", 0, r"momentum must be a number in \(0, 1\)"),
        (fs.ScheduleFreeAdamW, "betas", (0.0, 0.9), r"betas\[0\] must be in \(0, 1\)"),
        (fs.ScheduleFreeAdamW, "betas", 0.5, "betas"),
    ],
)
def test_what_was_put_into_a_group_is_checked(cls: Any, name: str, value: Any, wanted: str) -> None:
    p = np.ones(2)
    opt = cls([p], lr=0.1)
    stepped(opt, [p], 2)
    before = p.copy()
    opt.param_groups[0][name] = value
    with pytest.raises(ValueError, match=wanted):
        opt.eval()
    assert np.array_equal(p, before)
    assert opt.state[0]["averaged"] == 0.0
