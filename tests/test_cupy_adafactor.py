"""Adafactor's matrices on devices: launches, odd shapes, runs that go on; the bits of the CPU.

The table of cases has them too, so the other tests of CuPy arrays run over them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

if sys.platform != "linux":
    pytest.skip("CuPy is on PyPI for Linux and Windows", allow_module_level=True)

import cupy

import ferrostep as fs
from cases import DTYPES, FACTORED, LOW_PRECISION, Case
from support import device
from support.arrays import Array, gradients
from support.device import HARDWARE, to_device, to_host
from support.factored import SHAPES, inputs
from support.on_device import assert_same_run

stand_in = pytest.mark.skipif(HARDWARE, reason="counts the stand-in's launches")
SCALINGS: list[dict[str, Any]] = [
    {},
    {"max_norm": 0.5, "grad_scale": -0.5},
    {"max_norm": 0.5, "clip": "parameter"},
]
FACTORS = ["squares", "leaves_of_lines", "states", "sums_of_rows", "leaves_of_lines", "ratios"]


def starts(*shapes: Any, dtype: Any = np.float32) -> list[Array]:
    rng = np.random.default_rng(4)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def both(*shapes: Any, **options: Any) -> tuple[fs.Optimizer, fs.Optimizer]:
    """The same optimizer on a device and on the host."""
    start = starts(*shapes)
    on_host = [p.copy() for p in start]
    return fs.Adafactor([to_device(p) for p in start], **options), fs.Adafactor(on_host, **options)


def step(runs: tuple[fs.Optimizer, fs.Optimizer], grads: list[Any], **how: Any) -> None:
    found, wanted = runs
    host = wanted.step(grads, **how)
    info = found.step([None if g is None else to_device(g) for g in grads], **how)
    assert (info.applied, info.grad_norm) == (host.applied, host.grad_norm)


@pytest.mark.parametrize("dtype", [*DTYPES, *LOW_PRECISION])
@pytest.mark.parametrize("case", FACTORED, ids=lambda case: case.name)
def test_every_shape(case: Case, dtype: Any) -> None:
    if dtype is np.float64 and "state_dtype" in case.options:
        return
    start, steps = inputs(dtype)
    steps[1][2] = None  # another step count from here on
    wanted = case.make([p.copy() for p in start])
    found = case.make([to_device(p) for p in start])
    for grads, how in zip(steps, SCALINGS, strict=True):
        step((found, wanted), grads, **how)
    assert_same_run(found, wanted)
    assert found.state[8]["row_var"].shape == (1, 1)
    assert all(isinstance(s, cupy.ndarray) for s in list(found.state[4].values())[1:])


@pytest.mark.parametrize(
    "shape",
    [
        *((1, 12_289), (12_289, 1), (2, 4097), (4097, 2), (33, 31), (31, 33), (4096, 32)),
        *((1, 33 * 4096 + 1), (33 * 4096 + 1, 1), (5, 1, 3, 3), (300, 3, 3), (2, 40, 20, 50)),
    ],
    ids=str,
)
def test_sums_of_every_length(shape: Any) -> None:
    """Below and above a leaf, the lanes of one, and what one launch folds."""
    runs = both((2, 3), shape, (3, 2))
    rng = np.random.default_rng(5)
    for _ in range(2):
        step(runs, [gradients(rng, s, np.float32) for s in ((2, 3), shape, (3, 2))])
    assert_same_run(*runs)


def test_options_that_change_between_steps() -> None:
    shapes = [(5, 70), (7,), (2, 3, 4)]
    runs = both(*shapes, weight_decay=0.1)
    rng = np.random.default_rng(6)
    for lr, decay in ((0.1, 0.1), (0.01, 0.0), (0.5, 0.3)):
        for opt in runs:
            opt.lr = lr
            opt.param_groups[0]["weight_decay"] = decay
        step(runs, [gradients(rng, s, np.float32) for s in shapes], max_norm=1.0)
    assert_same_run(*runs)


def test_several_types_and_groups() -> None:
    rng = np.random.default_rng(7)
    types = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.float32]
    shapes = [(9, 40), (40, 9), (3, 3), (8, 5), (20,)]
    start = [rng.standard_normal(s).astype(t) for s, t in zip(shapes, types, strict=True)]

    def groups(put: Any) -> list[dict[str, Any]]:
        params = [put(p) for p in start]
        return [
            {"params": params[:3], "lr": 0.1},
            {"params": params[3:], "form": "original", "maximize": True},
        ]

    runs = fs.Adafactor(groups(to_device)), fs.Adafactor(groups(np.array))
    for i in range(3):
        grads = [gradients(rng, p.shape, types[(i + j) % 4]) for j, p in enumerate(start)]
        step(runs, grads, **SCALINGS[i])
    assert_same_run(*runs)


def test_host_and_device_in_one_optimizer() -> None:
    start = starts((5, 7), (5, 7), (3,), (4, 4))
    wanted = fs.Adafactor([p.copy() for p in start])
    found = fs.Adafactor([to_device(p) if i % 2 else p.copy() for i, p in enumerate(start)])
    rng = np.random.default_rng(8)
    for how in SCALINGS:
        grads = [gradients(rng, p.shape, np.float32) for p in start]
        host = wanted.step(grads, **how)
        mixed = [to_device(g) if i % 2 else g for i, g in enumerate(grads)]
        assert found.step(mixed, **how).grad_norm == host.grad_norm
    assert_same_run(found, wanted)


class TestLaunches:
    def names(self, launches: list[tuple[int, int, str]]) -> list[str]:
        return [name.removeprefix("ferrostep_") for *_, name in launches]

    @stand_in
    def test_one_of_each_for_all_matrices_and_no_wait(self) -> None:
        shapes = [(5, 7), (2, 3, 3), (40, 4096)]
        opt = fs.Adafactor([to_device(p) for p in starts(*shapes)])
        grads = [to_device(g) for g in starts(*shapes)]
        device.waited.clear()
        with device.recorded() as launches, device.Device(0), device.Stream(77):
            opt.step(grads, max_norm=1.0)
        names = self.names(launches)
        at = names.index("squares")
        assert names[at : at + 7] == [*FACTORS, "terms"]
        assert names[-2:] == ["measured", "update"]
        assert {stream for _, stream, _ in launches} == {77}
        assert not device.waited

    @stand_in
    def test_long_lines_are_folded(self) -> None:
        shapes = [(1, 4097), (33 * 4096 + 1, 1)]
        opt = fs.Adafactor([to_device(p) for p in starts(*shapes)])
        with device.recorded() as launches:
            opt.step([to_device(g) for g in starts(*shapes)])
        names = self.names(launches)
        assert names[: names.index("states")].count("fold_lines") == 1
        assert names.count("fold_lines") == 3

    @stand_in
    def test_tables_of_shapes_stay_where_gradients_move(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from ferrostep.backends import cuda

        opt = fs.Adafactor([to_device(p) for p in starts((5, 7), (3, 4))])
        uploads: list[Any] = []
        real = cuda.upload
        monkeypatch.setattr(cuda, "upload", lambda *a: uploads.append(a) or real(*a))
        opt.step([to_device(g) for g in starts((5, 7), (3, 4))])
        assert len(uploads) == 5
        opt.step([to_device(g) for g in starts((5, 7), (3, 4))])
        assert len(uploads) == 6


class TestAllOrNothing:
    def test_a_prepared_step_has_written_nothing(self) -> None:
        shapes = [(5, 7), (3,), (2, 3, 4)]
        found, wanted = both(*shapes)
        rng = np.random.default_rng(10)
        for _ in range(2):
            grads = [gradients(rng, s, np.float32) for s in shapes]
            assert found._prepare([to_device(-g) for g in grads], max_norm=0.5)
            found._abandon()
            assert found._prepare([to_device(g) for g in grads], max_norm=0.5)
            assert_same_run(found, wanted)
            info = found._commit()
            assert info.grad_norm == wanted.step(grads, max_norm=0.5).grad_norm
            assert_same_run(found, wanted)

    def test_an_error_once_the_factors_are_made(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from ferrostep.backends import cuda

        runs = both((5, 7), (3,), (2, 3, 4))
        rng = np.random.default_rng(9)
        shapes = [(5, 7), (3,), (2, 3, 4)]
        step(runs, [gradients(rng, s, np.float32) for s in shapes])
        grads = [gradients(rng, s, np.float32) for s in shapes]
        with monkeypatch.context() as broken:
            broken.setattr(cuda, "arguments", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                runs[0].step([to_device(g) for g in grads])
        assert_same_run(*runs)
        step(runs, grads)
        assert_same_run(*runs)

    @pytest.mark.parametrize("begun", [False, True])
    def test_a_step_that_is_refused(self, begun: bool) -> None:
        runs = both((5, 7), (3, 4))
        grads = starts((5, 7), (3, 4))
        if begun:
            step(runs, grads)
        wrong = [to_device(grads[0]), to_device(np.ones((4, 3), np.float32))]
        with pytest.raises(ValueError, match="shape"):
            runs[0].step(wrong)
        assert_same_run(*runs)
        grads[1][2, 3] = np.nan
        for opt, put in zip(runs, (to_device, np.array), strict=True):
            opt.nonfinite = "raise"
            with pytest.raises(fs.NonFiniteError, match="parameter 1"):
                opt.step([put(g) for g in grads])
        assert_same_run(*runs)

    def test_nan_reaches_the_whole_matrix_and_no_other(self) -> None:
        runs = both((5, 7), (3, 4))
        grads = starts((5, 7), (3, 4))
        grads[0][1, 2] = np.nan
        step(runs, grads)
        assert np.isnan(to_host(runs[0]._parameters()[0])).all()
        assert_same_run(*runs)


class TestState:
    def test_a_run_moves_between_host_and_device(self, tmp_path: Path) -> None:
        runs = both((5, 7), (2, 3, 4), (6,))
        grads = starts((5, 7), (2, 3, 4), (6,))
        step(runs, grads)
        found, wanted = runs
        fs.save_checkpoint(tmp_path / "run", optimizer=found)
        there = fs.Adafactor([to_device(to_host(p)) for p in found._parameters()])
        fs.load_checkpoint(tmp_path / "run", optimizer=there)
        back = fs.Adafactor([to_host(p) for p in found._parameters()])
        back.load_state_dict(found.state_dict())
        wanted.step(grads)
        back.step(grads)
        there.step([to_device(g) for g in grads])
        assert_same_run(back, wanted)
        assert_same_run(there, wanted)

    @pytest.mark.parametrize("shape", [(5, 7), (5, 3, 4), (5,)], ids=str)
    def test_rows_that_are_replaced(self, shape: Any) -> None:
        runs = both(shape, (3, 3))
        grads = starts(shape, (3, 3))
        step(runs, grads)
        new = np.ones((4, *shape[1:]), np.float32)
        runs[0].replace(0, to_device(new), to_device(np.array([3, -1, 0, 0])))
        runs[1].replace(0, new.copy(), np.array([3, -1, 0, 0]))
        step(runs, [new * 2, grads[1]])
        assert_same_run(*runs)

    def test_any_memory(self) -> None:
        """What a factory gives, and parameters in another order."""

        def gaps(key: Any, name: str, like: Any, kind: Any) -> Any:
            out = cupy.empty(tuple(2 * n for n in like.shape), kind)
            return out[tuple(slice(None, None, 2) for _ in like.shape)]

        start, steps = inputs(np.float32, [(4, 5), (2, 3, 4), (6, 6)])
        wanted = fs.Adafactor([p.copy() for p in start])
        on_device = [to_device(np.asfortranarray(p)) for p in start]
        found = fs.Adafactor(on_device, state_factory=gaps)
        for grads in steps:
            step((found, wanted), grads)
        assert_same_run(found, wanted)

    def test_new_arrays(self) -> None:
        start, grads = starts(*SHAPES), starts(*SHAPES)
        wanted = fs.Adafactor([p.copy() for p in start])
        wanted.step(grads)
        new = fs.Adafactor().updated([to_device(p) for p in start], [to_device(g) for g in grads])
        for p, q in zip(new, wanted._parameters(), strict=True):
            np.testing.assert_array_equal(to_host(p), q)
