"""What the log is told of steps that were left out."""

from __future__ import annotations

import copy
import logging
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.programs import output

GOOD, BAD = np.ones(2), np.array([1.0, np.nan])


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ferrostep")


def made(**options: Any) -> fs.Optimizer:
    return fs.Adam({"v": np.ones(2), "w": np.ones(2)}, nonfinite="skip", **options)


def skip(opt: fs.Optimizer, times: int = 1) -> None:
    for _ in range(times):
        assert not opt.step({"v": GOOD, "w": BAD}).applied


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    found = [(r.levelno, r.getMessage()) for r in caplog.records if r.name == "ferrostep"]
    caplog.clear()
    return found


def text(in_a_row: int, total: int, cause: str = "the gradient of parameter 'w'") -> str:
    return f"step skipped: {cause} is not finite ({in_a_row} in a row, {total} over the run)"


def test_skips_in_a_row_are_told_at_powers_of_two(caplog: pytest.LogCaptureFixture) -> None:
    opt = made()
    skip(opt, 40)
    assert told(caplog) == [
        *[(logging.INFO, text(n, n)) for n in (1, 2, 4)],
        *[(logging.WARNING, text(n, n)) for n in (8, 16, 32)],
    ]
    opt.step({"v": GOOD, "w": GOOD})
    assert told(caplog) == []
    skip(opt, 3)
    assert told(caplog) == [(logging.INFO, text(1, 41)), (logging.INFO, text(2, 42))]
    assert opt.skipped_steps == 43


@pytest.mark.parametrize("options", [{}, {"backend": "reference"}], ids=str)
def test_every_door_tells(caplog: pytest.LogCaptureFixture, options: dict[str, Any]) -> None:
    unbound = fs.SGD(lr=0.1, nonfinite="skip", **options)
    w = [np.ones(2)]
    for _ in range(2):  # the first makes the state
        unbound.update(w, [BAD])
    cause = "the gradient of parameter 0"
    assert told(caplog) == [(logging.INFO, text(n, n, cause)) for n in (1, 2)]
    unbound.update(w, [np.array([1e200, 1.0])], max_norm=1.0)
    unbound.update(w, [np.array([1e200, 1.0])], max_norm=1.0)
    [(level, message)] = told(caplog)
    assert "the norm of the gradients overflows float64 (4 in a row" in message
    assert level == logging.INFO


def test_a_row_begins_anew_with_the_state(caplog: pytest.LogCaptureFixture) -> None:
    opt = made()
    skip(opt, 3)
    saved, other = copy.deepcopy(opt.state_dict()), copy.deepcopy(opt)
    told(caplog)
    skip(other)
    assert told(caplog) == [(logging.INFO, text(1, 4))]
    opt.load_state_dict(saved)
    skip(opt)
    assert told(caplog) == [(logging.INFO, text(1, 4))]
    opt.reset()
    skip(opt)
    assert told(caplog) == [(logging.INFO, text(1, 1))]


def test_the_record_points_to_the_caller(caplog: pytest.LogCaptureFixture) -> None:
    skip(made())
    assert [record.funcName for record in caplog.records] == ["skip"]


def test_nothing_else_is_told(caplog: pytest.LogCaptureFixture) -> None:
    opt = fs.Adam({"w": np.ones(2)}, nonfinite="raise")
    opt.step({"w": GOOD})
    with pytest.raises(fs.NonFiniteError):
        opt.step({"w": BAD})
    fs.Adam([np.ones(2)]).step([BAD])
    assert told(caplog) == []


class Handler(logging.Handler):
    """Calls the optimizer, or raises."""

    def __init__(self, do: Any) -> None:
        super().__init__()
        self.do = do

    def emit(self, _: logging.LogRecord) -> None:
        self.do()


def test_a_handler_may_use_the_optimizer() -> None:
    opt, seen = made(), []

    def do() -> None:
        seen.append(opt.skipped_steps)
        opt.step({"v": GOOD, "w": GOOD})

    handler = Handler(do)
    logging.getLogger("ferrostep").addHandler(handler)
    try:
        skip(opt)
    finally:
        logging.getLogger("ferrostep").removeHandler(handler)
    assert seen == [1]
    assert opt.state["w"]["step"] == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_a_handler_raises_passes_and_the_skip_is_counted(error: type[BaseException]) -> None:
    opt = made()
    opt.step({"v": GOOD, "w": GOOD})

    def do() -> None:
        raise error

    handler = Handler(do)
    logging.getLogger("ferrostep").addHandler(handler)
    try:
        with pytest.raises(error):
            skip(opt)
    finally:
        logging.getLogger("ferrostep").removeHandler(handler)
    assert opt.skipped_steps == 1
    opt.step({"v": GOOD, "w": GOOD})
    assert opt.state["w"]["step"] == 2


def test_without_a_handler_only_the_warnings_are_seen() -> None:
    program = """
import sys, numpy as np, ferrostep as fs
print("logging" in sys.modules)
sys.stderr = sys.stdout
opt = fs.SGD([np.ones(2)], lr=0.1, nonfinite="skip")
for _ in range(9):
    opt.step([np.full(2, np.inf)])
"""
    assert output(program) == ["False", text(8, 8, "the gradient of parameter 0")]


def test_they_are_counted_as_far_as_is_loaded() -> None:
    opt = fs.SGD([np.ones(2)], lr=0.1, nonfinite="skip")
    saved = opt.state_dict()
    saved["skipped_steps"] = 2**62
    opt.load_state_dict(saved)
    opt.step([np.full(2, np.nan)])
    assert opt.skipped_steps == 2**62
    opt.load_state_dict(opt.state_dict())
