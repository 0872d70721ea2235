"""The warning that a scheduler was stepped before its optimizer, and all that is in order."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from ferrostep import schedulers as sched

EARLY = "before SGD has stepped any parameter"


def bound(**options: Any) -> fs.SGD:
    return fs.SGD([np.zeros(2)], lr=0.1, **options)


def with_state() -> fs.SGD:
    opt = bound(momentum=0.9)
    opt.init_state()
    return opt


def without_a_gradient() -> fs.SGD:
    opt = bound()
    opt.step([None])
    return opt


@pytest.mark.parametrize("make", [bound, fs.SGD, with_state, without_a_gradient])
def test_the_first_rate_was_never_used(make: Callable[[], fs.SGD]) -> None:
    schedule = sched.StepLR(make(), 1)
    with pytest.warns(UserWarning, match=EARLY) as found:
        schedule.step()
    assert [warning.filename for warning in found] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        schedule.step()  # once is enough


def test_the_line_is_the_user_s_own_also_of_schedulers_within_others() -> None:
    opt = bound()
    parts = [sched.ExponentialLR(opt, 0.9), sched.CosineAnnealingWarmRestarts(opt, 3)]
    schedule = sched.SequentialLR(opt, [sched.ChainedScheduler(parts), sched.StepLR(opt, 2)], [5])
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("default")
        schedule.step()
    assert [(w.filename, EARLY in str(w.message)) for w in found] == [(__file__, True)]


def test_as_an_error_it_changes_nothing() -> None:
    schedule = sched.StepLR(bound(), 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match=EARLY):
            schedule.step()
    assert (schedule.last_epoch, schedule.get_last_lr()) == (0, [0.1])


def stepped() -> fs.SGD:
    opt = bound()
    opt.step([np.ones(2)])
    return opt


def skipped() -> fs.SGD:
    opt = bound(nonfinite="skip")
    assert not opt.step([np.full(2, np.nan)]).applied
    return opt


def updated() -> fs.SGD:
    opt = fs.SGD()
    opt.updated([np.zeros(2)], [np.ones(2)])
    return opt


def update() -> fs.SGD:
    opt = fs.SGD()
    opt.update({"w": np.zeros(2)}, {"w": np.ones(2)})
    return opt


def update_one() -> fs.SGD:
    opt = fs.SGD()
    opt.update_one(("layer", 1), np.zeros(2), np.ones(2))
    return opt


def one_of_two() -> fs.SGD:
    opt = fs.SGD([np.zeros(2), np.zeros(2)])
    opt.step([None, np.ones(2)])
    return opt


def loaded(other: fs.SGD) -> fs.SGD:
    other.load_state_dict(stepped().state_dict())
    return other


class Groups:
    """Anything that has rates, also with a `state` that means something else."""

    def __init__(self, **more: Any) -> None:
        self.param_groups = [{"lr": 0.1}]
        self.__dict__.update(more)


IN_ORDER: list[Callable[[], Any]] = [
    *(stepped, skipped, updated, update, update_one, one_of_two),
    lambda: loaded(bound()),
    lambda: loaded(fs.SGD()),  # its parameters come later
    Groups,
    lambda: Groups(state={}),
    lambda: Groups(state={}, skipped_steps=None),
    lambda: Groups(state="sleeping", skipped_steps=0),
    lambda: Groups(state={0: {"velocity": 0.0}}, skipped_steps=0),
    lambda: Groups(state={0: None}, skipped_steps=0),
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("make", IN_ORDER)
def test_no_warning(make: Callable[[], Any]) -> None:
    sched.StepLR(make(), 1).step()


@pytest.mark.filterwarnings("error")
def test_no_warning_after_a_checkpoint(tmp_path: Path) -> None:
    p = np.zeros(2)
    opt = fs.Adam([p], lr=0.1)
    schedule = sched.ExponentialLR(opt, 0.9)
    opt.step([np.ones(2)])
    fs.save_checkpoint(tmp_path / "f", optimizer=opt, params=[p], schedulers=schedule)
    other = fs.Adam([p], lr=0.1)
    resumed = sched.ExponentialLR(other, 0.9)
    fs.load_checkpoint(tmp_path / "f", optimizer=other, params=[p], schedulers=resumed)
    resumed.step()


@pytest.mark.filterwarnings("error")
def test_no_warning_where_the_epoch_is_said_or_a_metric() -> None:
    sched.CosineAnnealingWarmRestarts(bound(), 3).step(0.5)
    sched.StepLR(bound(), 3).step(2)
    sched.ReduceLROnPlateau(bound()).step(1.0)
