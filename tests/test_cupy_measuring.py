"""Rules that measure on devices: what is launched, who waits, and all layouts; the bits of the CPU.

The table of cases has them too, so the other tests of CuPy arrays run over them.
"""

from __future__ import annotations

import copy
import pickle
import sys
from typing import Any

import numpy as np
import pytest

if sys.platform != "linux":
    pytest.skip("CuPy is on PyPI for Linux and Windows", allow_module_level=True)

import cupy

import ferrostep as fs
from support import device
from support.arrays import gradients
from support.device import HARDWARE, to_device, to_host
from support.on_device import LAYOUTS, assert_same_run

CLASSES: dict[str, Any] = {
    "LAMB": fs.LAMB,
    "LARS": lambda params, **more: fs.LARS(params, lr=0.1, **more),
    "NovoGrad": fs.NovoGrad,
    "StableAdamW": fs.StableAdamW,
    "cautious": lambda params, **more: fs.AdamW(params, cautious=True, **more),
    "Adafactor": fs.Adafactor,
    "NAdam": lambda params, **more: fs.NAdam(params, cautious=True, **more),
}
every_class = pytest.mark.parametrize("make", CLASSES.values(), ids=CLASSES)
stand_in = pytest.mark.skipif(HARDWARE, reason="counts the stand-in's launches")
MEASURING = ["ferrostep_terms", "ferrostep_norm_leaves", "ferrostep_measured"]


def run(found: fs.Optimizer, wanted: fs.Optimizer, put: Any = to_device, **scaling: Any) -> None:
    """Three steps on a device and on the host, compared."""
    rng = np.random.default_rng(1)
    for _ in range(3):
        grads = [gradients(rng, p.shape, to_host(p).dtype) for p in wanted._parameters()]
        host = wanted.step(grads, **scaling)
        assert found.step([put(g) for g in grads], **scaling).grad_norm == host.grad_norm
    assert_same_run(found, wanted)


def starts(*sizes: int) -> list[Any]:
    rng = np.random.default_rng(2)
    return [rng.standard_normal(n).astype(np.float32) for n in sizes]


class TestLaunches:
    @stand_in
    @pytest.mark.parametrize("name", sorted(set(CLASSES) - {"NovoGrad"}))
    def test_one_of_each_for_a_group_and_no_wait(self, name: str) -> None:
        opt = CLASSES[name]([to_device(p) for p in starts(10, 4000, 4096)])
        device.waited.clear()
        with device.recorded() as launches:
            opt.step([to_device(p) for p in starts(10, 4000, 4096)], max_norm=1.0)
        names = [name for *_, name in launches if name != "ferrostep_norm_partials"]
        at = names.index("ferrostep_terms")
        assert names[at:] == [*MEASURING, "ferrostep_update"]
        assert not device.waited

    @stand_in
    def test_sums_of_many_leaves_are_folded(self) -> None:
        opt = fs.LAMB([to_device(p) for p in starts(10, 33 * 4096)])
        with device.recorded() as launches:
            opt.step([to_device(p) for p in starts(10, 33 * 4096)])
        assert [name for *_, name in launches].count("ferrostep_norm_fold_each") == 2

    @stand_in
    def test_what_is_remembered_is_waited_for(self) -> None:
        opt = fs.NovoGrad([to_device(p) for p in starts(10, 20)])
        device.waited.clear()
        with device.recorded() as launches, device.Device(0), device.Stream(77):
            opt.step([to_device(p) for p in starts(10, 20)])
            opt.step([to_device(p) for p in starts(10, 20)])
        assert device.waited == [77, 77]
        assert [name for *_, name in launches] == [*MEASURING, "ferrostep_update"] * 2
        assert {stream for _, stream, _ in launches} == {77}

    @stand_in
    def test_tables_are_kept_while_addresses_are(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from ferrostep.backends import cuda

        opt = fs.LAMB([to_device(p) for p in starts(10, 20)])
        grads = [to_device(p) for p in starts(10, 20)]
        uploads: list[Any] = []
        real = cuda.upload
        monkeypatch.setattr(cuda, "upload", lambda *a: uploads.append(a) or real(*a))
        opt.step(grads)
        opt.step(grads)
        assert len(uploads) == 2


@pytest.mark.parametrize("of", ["both", "parameter", "gradient"])
@pytest.mark.parametrize("layout", LAYOUTS)
@every_class
def test_sums_are_in_the_order_of_the_index(make: Any, layout: str, of: str) -> None:
    start = np.random.default_rng(3).standard_normal((65, 130)).astype(np.float32)
    lay = LAYOUTS[layout]
    found = make([to_device(start if of == "gradient" else lay(start))])
    put = to_device if of == "parameter" else lambda g: to_device(lay(g))
    run(found, make([start.copy()]), put, max_norm=5.0)


@every_class
def test_types_may_differ(make: Any) -> None:
    for dtype in (np.float16, np.float64):
        found = make([to_device(p) for p in starts(4099, 3)], state_dtype="bfloat16")
        wanted = make(starts(4099, 3), state_dtype="bfloat16")
        for i in range(2):
            grads = [(g * (1 + i)).astype(dtype) for g in starts(4099, 3)]
            wanted.step(grads)
            found.step([to_device(g) for g in grads])
        assert_same_run(found, wanted)


@every_class
def test_host_and_device_in_one_optimizer(make: Any) -> None:
    start = starts(5000, 9000, 3, 4097)
    wanted = make([p.copy() for p in start])
    found = make([to_device(p) if i % 2 else p.copy() for i, p in enumerate(start)])
    for scaling in ({}, {"max_norm": 1.0}, {"max_norm": 2.0, "clip": "parameter"}):
        grads = starts(5000, 9000, 3, 4097)
        wanted.step(grads, **scaling)
        found.step([to_device(g) if i % 2 else g for i, g in enumerate(grads)], **scaling)
    assert_same_run(found, wanted)


@every_class
def test_a_run_goes_on_from_copies_and_on_the_host(make: Any) -> None:
    start, grads = starts(4099, 5), starts(4099, 5)
    wanted, found = make([p.copy() for p in start]), make([to_device(p) for p in start])
    on_device = [to_device(g) for g in grads]
    wanted.step(grads)
    found.step(on_device)
    on_host = make([to_host(p) for p in found._parameters()])
    on_host.load_state_dict(found.state_dict())
    runs = [found]
    if HARDWARE:  # CuPy copies and pickles there alone
        runs += [copy.deepcopy(found), pickle.loads(pickle.dumps(found))]
    wanted.step(grads)
    on_host.step(grads)
    assert_same_run(on_host, wanted)
    for opt in runs:
        opt.step(on_device)
        assert_same_run(opt, wanted)


@every_class
def test_without_numbers_and_without_elements(make: Any) -> None:
    for value in (np.nan, np.inf, 0.0):
        grads = [np.full(5, value, np.float32), np.zeros(0, np.float32), np.ones((), np.float32)]
        start = [np.zeros(5, np.float32), np.zeros(0, np.float32), np.ones((), np.float32)]
        wanted, found = make([p.copy() for p in start]), make([to_device(p) for p in start])
        for _ in range(2):
            wanted.step(grads)
            found.step([to_device(g) for g in grads])
        assert_same_run(found, wanted)


@every_class
def test_new_arrays_and_one_by_one(make: Any) -> None:
    start, grads = starts(4099, 5), starts(4099, 5)
    wanted = make([p.copy() for p in start])
    wanted.step(grads)
    unbound = make(None)
    new = unbound.updated([to_device(p) for p in start], [to_device(g) for g in grads])
    for p, q in zip(new, wanted._parameters(), strict=True):
        assert isinstance(p, cupy.ndarray)
        np.testing.assert_array_equal(to_host(p), q)
    one = make(None)
    for i, (p, g) in enumerate(zip(start, grads, strict=True)):
        there = to_device(p)
        one.update_one(i, there, to_device(g))
        np.testing.assert_array_equal(to_host(there), wanted._parameters()[i])


@every_class
def test_rows_are_refused(make: Any) -> None:
    p = to_device(np.ones((4, 3), np.float32))
    rows = fs.Rows([1], to_device(np.ones((1, 3), np.float32)))
    with pytest.raises(TypeError, match="must be whole for a rule that measures it, found rows"):
        make([p]).step([rows])
    assert (to_host(p) == 1).all()


@pytest.mark.skipif(HARDWARE, reason="needs two devices")
@every_class
def test_several_devices(make: Any) -> None:
    start, grads = starts(5000, 9000, 3), starts(5000, 9000, 3)
    wanted = make([p.copy() for p in start])
    found = make([to_device(p, i % 2) for i, p in enumerate(start)])
    for scaling in ({}, {"max_norm": 1.0}):
        wanted.step(grads, **scaling)
        found.step([to_device(g, i % 2) for i, g in enumerate(grads)], **scaling)
    assert_same_run(found, wanted)
