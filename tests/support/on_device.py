"""Optimizers on a device, for tests of faults and the programs that they run."""

from __future__ import annotations

import signal
from typing import Any

import numpy as np

import ferrostep as fs
from support.arrays import arrays_in, assert_same_bits, assert_same_numbers
from support.device import to_device, to_host
from support.programs import Interrupts, made

#: Of matrices; whatever is not in C order is copied where that is needed.
LAYOUTS: dict[str, Any] = {
    "Fortran": np.asfortranarray,
    "every second": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "backwards": lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
    "odd start": lambda a: np.concatenate([a.ravel()[:1], a.ravel()])[1:].reshape(a.shape),
}


def on_device() -> fs.Optimizer:
    return fs.Adam([to_device(p) for p in made()._parameters()])


def on_host(opt: fs.Optimizer) -> fs.Optimizer:
    """A copy of the whole optimizer in host memory."""
    copy = fs.Adam([to_host(p) for p in opt._parameters()])
    copy.load_state_dict(opt.state_dict())
    return copy


class OutsideTheStandIn(Interrupts):
    """Interrupts wait for the end of the stand-in's own Python: CuPy has none there."""

    def ring(self, number: int, frame: Any) -> None:
        inside = frame
        while inside is not None:
            if inside.f_globals.get("__name__") in ("support.device", "support.emulation"):
                signal.setitimer(signal.ITIMER_REAL, 1e-4)
                return
            inside = inside.f_back
        super().ring(number, frame)


def assert_same_run(found: fs.Optimizer, wanted: fs.Optimizer) -> None:
    """The arrays of `found` may lie anywhere."""
    for i, (p, q) in enumerate(zip(found._parameters(), wanted._parameters(), strict=True)):
        assert_same_bits(to_host(p), to_host(q), f"parameter {i}")
    assert list(found.state) == list(wanted.state)
    for key, entry in wanted.state.items():
        assert set(found.state[key]) == set(entry)
        assert_same_numbers(found.state[key], entry)
        for name, array in arrays_in(entry).items():
            assert_same_bits(to_host(found.state[key][name]), to_host(array), f"{key} {name}")
