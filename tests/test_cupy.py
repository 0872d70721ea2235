"""The whole path of CuPy arrays, over the one table of cases: the bits of the CPU.

On a machine with a GPU on the real thing, elsewhere on the stand-in of `support/device.py`.
"""

from __future__ import annotations

import sys
from typing import Any

import ml_dtypes
import numpy as np
import pytest

if sys.platform != "linux":
    pytest.skip("CuPy is on PyPI for Linux and Windows", allow_module_level=True)

import cupy

import ferrostep as fs
from cases import CASE, RUN_IDS, RUNS, Case
from support import device
from support.arrays import Array, gradients, special_values
from support.device import HARDWARE, to_device, to_host
from support.fingerprints import SIZES, hashed, inputs, known
from support.on_device import assert_same_run

STEPS = 4
DAMPENED = "SGD(lr=0.1,momentum=0.9,dampening=0.3,weight_decay=0.01)"
OTHER_ADAM = "Adam(weight_decay=0.1,betas=(0.8,0.95),eps=1e-06)"
# Empty, one, odd tails, more than one chunk of a kernel.
SHAPES = [(0,), (), (1,), (7,), (5, 13), (3, 5, 17), (1025,), (40_007,)]


def runs(case: Case, start: list[Array], steps: list[list[Any]], scaling: dict[str, Any]) -> None:
    """The same steps on host and device, compared."""
    wanted = case.make([p.copy() for p in start])
    found = case.make([to_device(p) for p in start])
    for grads in steps:
        host = wanted.step(grads, **scaling)
        info = found.step([None if g is None else to_device(g) for g in grads], **scaling)
        assert (info.applied, info.grad_norm) == (host.applied, host.grad_norm)
    assert all(isinstance(p, cupy.ndarray) for p in found._parameters())
    assert_same_run(found, wanted)


@pytest.mark.parametrize(("case", "dtype"), RUNS, ids=RUN_IDS)
def test_every_case(case: Case, dtype: type) -> None:
    rng = np.random.default_rng(1)
    start = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]
    steps = [[gradients(rng, shape, dtype) for shape in SHAPES] for _ in range(STEPS)]
    steps[1][4] = None  # a skipped parameter has another step count from here on
    runs(case, start, steps, {})


@pytest.mark.parametrize(("case", "dtype"), RUNS, ids=RUN_IDS)
def test_scaled_and_clipped_without_a_wait(case: Case, dtype: type) -> None:
    rng = np.random.default_rng(2)
    shapes = [(70_001,), (0,), (5, 13), (4096,)]
    start = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    steps = [[(rng.standard_normal(s) * 0.1).astype(dtype) for s in shapes] for _ in range(2)]
    runs(case, start, steps, {"grad_scale": 0.5, "max_norm": 1.0})
    runs(case, start, steps, {"grad_scale": -0.5, "max_norm": np.inf})


def test_fingerprints() -> None:
    wanted = known()["fingerprints"]
    for case, dtype in RUNS:
        special = special_values(dtype)
        params = [inputs(n, n + 1, dtype) for n in SIZES]
        params.append(np.repeat(special, len(special)))
        params = [to_device(p) for p in params]
        opt = case.make(params)
        for step in range(6):
            grads = [inputs(n, 31 * n + step, dtype) for n in SIZES]
            grads.append(np.roll(np.tile(special, len(special)), 3 * step))
            opt.step([to_device(g) for g in grads])
        name = f"{case.name} {np.dtype(dtype).name}"
        assert hashed(params, opt, to_host) == wanted[name], name


LAYOUTS = {
    "Fortran": lambda a: np.asfortranarray(a),
    "every second": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "backwards": lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "odd start": lambda a: np.concatenate([a.ravel()[:1], a.ravel()])[1:].reshape(a.shape),
}


@pytest.mark.parametrize("of", ["both", "parameter", "gradient"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "case", [CASE[name] for name in (DAMPENED, "Adam()")], ids=lambda case: case.name
)
def test_layouts(case: Case, layout: str, of: str) -> None:
    rng = np.random.default_rng(3)
    p = rng.standard_normal((33, 130)).astype(np.float32)
    wanted = case.make([p.copy()])
    lay = LAYOUTS[layout]
    found = case.make([to_device(p if of == "gradient" else lay(p))])
    for _ in range(3):
        g = gradients(rng, p.shape, np.float32)
        wanted.step([g], max_norm=5.0)
        found.step([to_device(g if of == "parameter" else lay(g))], max_norm=5.0)
    assert_same_run(found, wanted)


@pytest.mark.parametrize("gradient", ["float16", ml_dtypes.bfloat16, "float32", "float64"])
@pytest.mark.parametrize("parameter", ["float16", ml_dtypes.bfloat16, "float32", "float64"])
def test_mixed_types(parameter: Any, gradient: Any) -> None:
    rng = np.random.default_rng(4)
    start = [rng.standard_normal(n).astype(parameter) for n in (300, 5)]
    steps = [[gradients(rng, p.shape, gradient) for p in start] for _ in range(3)]
    runs(CASE[OTHER_ADAM], start, steps, {"max_norm": 3.0})


class TestWhatALaunchCosts:
    def make(self, count: int = 5) -> tuple[fs.Optimizer, list[Any]]:
        params = [to_device(np.ones(10, np.float32)) for _ in range(count)]
        grads = [to_device(np.ones(10, np.float32)) for _ in range(count)]
        return fs.Adam(params), grads

    @pytest.mark.skipif(HARDWARE, reason="counts the stand-in's launches")
    def test_one_launch_for_a_group(self) -> None:
        opt, grads = self.make()
        with device.recorded() as launches:
            opt.step(grads)
        assert [name for *_, name in launches] == ["ferrostep_update"]

    @pytest.mark.skipif(HARDWARE, reason="counts the stand-in's launches")
    def test_current_stream_of_the_device(self) -> None:
        opt, grads = self.make()
        with device.recorded() as launches, device.Device(0), device.Stream(77):
            opt.step(grads)
        assert launches == [(0, 77, "ferrostep_update")]

    def test_tables_are_kept_while_addresses_are(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from ferrostep.backends import cuda

        opt, grads = self.make()
        uploads = []
        real = cuda.upload
        monkeypatch.setattr(cuda, "upload", lambda *a: uploads.append(a) or real(*a))
        opt.step(grads)
        opt.step(grads)
        assert len(uploads) == 1
        opt.step([to_device(np.ones(10, np.float32)) for _ in grads])
        assert len(uploads) == 2

    @pytest.mark.skipif(HARDWARE, reason="watches the stand-in's launches")
    def test_no_python_code_of_ours_runs_after_a_launch(self) -> None:
        """Signal handlers run between lines of Python: an interrupt must find the step whole."""
        params = [to_device(np.ones(10, np.float32)), np.ones(10, np.float32)]
        grads = [to_device(np.ones(10, np.float32)), np.ones(10, np.float32)]
        opt = fs.Adam(params)
        entered = []

        def watch(frame: Any, event: str, arg: object) -> None:
            if event == "call" and launches and "ferrostep" in frame.f_globals["__name__"]:
                entered.append(frame.f_code.co_qualname)

        with device.recorded() as launches:
            sys.setprofile(watch)
            try:
                opt.step(grads)
            finally:
                sys.setprofile(None)
        assert [name for *_, name in launches] == ["ferrostep_update"]
        assert entered == []
        assert opt.state[1]["step"] == 1

    def test_groups_have_scalars_of_their_own(self) -> None:
        rng = np.random.default_rng(5)
        start = [rng.standard_normal(9) for _ in range(3)]
        grads = [rng.standard_normal(9) for _ in range(3)]

        def groups(to: Any) -> list[dict[str, Any]]:
            return [
                {"params": [to(start[0]), to(start[1])], "lr": 0.5},
                {"params": [to(start[2])], "weight_decay": 0.3, "amsgrad": True},
            ]

        wanted, found = fs.Adam(groups(np.array)), fs.Adam(groups(to_device))
        for lr in (0.1, 0.2):
            for opt, to in ((wanted, np.array), (found, to_device)):
                opt.param_groups[1]["lr"] = lr
                opt.step([to(g) for g in grads])
        assert_same_run(found, wanted)


class TestNonFinite:
    @pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16, "float32", "float64"])
    @pytest.mark.parametrize("scaling", [{}, {"max_norm": 1.0}])
    def test_raise_names_the_first(self, dtype: Any, scaling: dict[str, float]) -> None:
        params = [to_device(np.ones(5000, dtype)) for _ in range(3)]
        grads = [np.ones(5000, dtype) for _ in range(3)]
        grads[1][4999], grads[2][0] = np.inf, np.nan
        opt = fs.SGD(params, nonfinite="raise")
        with pytest.raises(fs.NonFiniteError, match="parameter 1 is not finite"):
            opt.step([to_device(g) for g in grads], **scaling)
        assert all((to_host(p) == 1).all() for p in params)

    def test_skip_counts(self) -> None:
        p = to_device(np.ones(3, np.float32))
        opt = fs.Adam([p], nonfinite="skip")
        info = opt.step([to_device(np.array([1, np.nan, 0], np.float32))], max_norm=1.0)
        assert not info.applied
        assert opt.skipped_steps == 1
        assert not opt.state
        assert opt.step([to_device(np.ones(3, np.float32))]).applied

    def test_a_float64_gradient_can_overflow_in_conversion(self) -> None:
        opt = fs.SGD([to_device(np.ones(3, np.float32))], nonfinite="raise")
        with pytest.raises(fs.NonFiniteError):
            opt.step([to_device(np.array([1e300, 0, 0]))])

    @pytest.mark.skipif(HARDWARE, reason="asks the stand-in for streams")
    def test_the_norm_is_waited_for_where_it_is_made(self) -> None:
        opt = fs.SGD([to_device(np.ones(3))])
        with device.Device(0), device.Stream(77):
            info = opt.step([to_device(np.full(3, 2.0))], max_norm=1.0)
        device.waited.clear()
        assert info.grad_norm == pytest.approx(12**0.5)
        assert device.waited == [77]

    def test_propagate_is_what_the_cpu_does(self) -> None:
        start = [np.ones(3, np.float32), np.ones(4, np.float32)]
        steps = [[np.array([1, np.inf, 2], np.float32), np.ones(4, np.float32)]]
        wanted, found = fs.Adam([p.copy() for p in start]), fs.Adam([to_device(p) for p in start])
        host = wanted.step(steps[0], max_norm=1.0)
        info = found.step([to_device(g) for g in steps[0]], max_norm=1.0)
        assert host.grad_norm == info.grad_norm == np.inf
        assert_same_run(found, wanted)


class TestMixedPlaces:
    def test_host_and_device_in_one_optimizer(self) -> None:
        rng = np.random.default_rng(6)
        start = [rng.standard_normal(n).astype(np.float32) for n in (5000, 9000, 3, 4097)]
        wanted = fs.Adam([p.copy() for p in start])
        found = fs.Adam([to_device(p) if i % 2 else p.copy() for i, p in enumerate(start)])
        for scaling in ({}, {"max_norm": 1.0}, {"max_norm": 2.0, "grad_scale": 3.0}):
            grads = [gradients(rng, p.shape, np.float32) for p in start]
            host = wanted.step(grads, **scaling)
            mixed = [to_device(g) if i % 2 else g for i, g in enumerate(grads)]
            assert found.step(mixed, **scaling).grad_norm == host.grad_norm
        assert_same_run(found, wanted)

    @pytest.mark.skipif(HARDWARE, reason="needs two devices")
    def test_several_devices(self) -> None:
        rng = np.random.default_rng(7)
        start = [rng.standard_normal(n).astype(np.float32) for n in (5000, 9000, 3)]
        wanted = fs.Adam([p.copy() for p in start])
        found = fs.Adam([to_device(p, i % 2) for i, p in enumerate(start)])
        for scaling in ({}, {"max_norm": 1.0}):
            grads = [gradients(rng, p.shape, np.float32) for p in start]
            wanted.step(grads, **scaling)
            with device.recorded() as launches:
                found.step([to_device(g, i % 2) for i, g in enumerate(grads)], **scaling)
            updates = [where for where, _, name in launches if name == "ferrostep_update"]
            assert sorted(updates) == [0, 1]
        assert_same_run(found, wanted)
        for i in range(3):
            assert found.state[i]["exp_avg"].data.device_id == i % 2

    def test_the_first_nonfinite_anywhere(self) -> None:
        params = [np.ones(3), to_device(np.ones(3)), np.ones(3)]
        opt = fs.SGD(params, nonfinite="raise")
        bad = np.array([0, np.nan, 0])
        with pytest.raises(fs.NonFiniteError, match="parameter 1"):
            opt.step([np.ones(3), to_device(bad), bad])
        assert (params[0] == 1).all()
