"""What notebooks show of optimizers and schedulers: plain HTML, in which nothing is a user's."""

from __future__ import annotations

import copy
import threading
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import PLAIN, Case
from support.programs import output
from support.schedules import SCHEDULES, stepped
from support.sour import Sour

TAGS = {"table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary", "p", "pre"}
SCRIPT = "<script>1</script>&amp;"


class Page(HTMLParser):
    """The rows of tables, and all other texts; it fails at what is not closed, or not ours."""

    def __init__(self, shown: Any) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(shown._repr_html_())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        assert {name for name, _ in attributes} <= {"scope", "colspan"}
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        elif data.strip():
            self.texts.append(data)


def test_groups_and_parameters() -> None:
    first = {"w": np.ones((2, 3), np.float32), "b": np.ones(3, np.float32)}
    groups = [{"params": first, "lr": 0.5}, {"params": {"s": np.ones(())}, "momentum": 0.0}]
    opt = fs.SGD(groups, momentum=0.9, nonfinite="skip")
    opt.step({"w": np.ones((2, 3)), "b": None, "s": np.ones(())})
    opt.step({"w": np.ones((2, 3)), "b": None, "s": np.ones(())})
    page = Page(opt)
    assert page.texts == [
        "SGD(nonfinite='skip')",
        "3 parameters in 2 groups, 24 bytes of state",
    ]
    columns = ["group", "parameters", "elements", "dtypes", "steps", "bytes of state", "options"]
    head, one, two, inner, *rows = page.rows
    assert head == columns
    assert one[:-1] == ["0", "2", "9", "float32", "0 to 2", "24"]
    assert two[:-1] == ["1", "1", "1", "float64", "2", "0"]
    assert one[-1].startswith("lr=0.5, momentum=0.9, ")
    assert two[-1].startswith("lr=0.001, momentum=0.0, ")
    assert inner == ["parameter", "dtype and shape", "step", "state"]
    assert rows == [
        ["group 0", "lr=0.5, momentum=0.9"],
        ["'w'", "float32 (2, 3)", "step 2", "24 bytes of state"],
        ["'b'", "float32 (3,)", "no step yet"],
        ["group 1", "lr=0.001"],
        ["'s'", "float64 ()", "step 2", "0 bytes of state"],
    ]


@pytest.mark.parametrize("case", PLAIN, ids=lambda case: case.name)
def test_every_class_is_told_as_by_repr(case: Case) -> None:
    opt = case.make({"m": np.ones((3, 2)), "v": np.ones((2, 2), np.float32)})
    opt.step({"m": np.ones((3, 2)), "v": np.ones((2, 2), np.float32)})
    page = Page(opt)
    name, total = page.texts
    first, *lines = repr(opt).splitlines()
    assert first == f"{name}: {total}"
    assert lines == [f"  {label}: {', '.join(facts)}" for label, *facts in page.rows[3:]]
    options = page.rows[1][-1]
    for option in opt._schema().defaults:
        if option not in ("nonfinite", "backend", "state_factory", "missing"):
            assert f"{option}=" in options


def test_what_users_name_is_escaped() -> None:
    opt = fs.SGD({SCRIPT: np.ones(2)})
    opt.param_groups[0][SCRIPT] = SCRIPT
    page = Page(opt)
    assert [repr(SCRIPT)] == [label for label, *_ in page.rows[3:]]
    assert SCRIPT in page.rows[1][-1]
    assert "<script" not in opt._repr_html_()
    scheduler = fs.schedulers.StepLR(opt, 3)
    scheduler.name = SCRIPT  # type: ignore[attr-defined]
    assert ["name", repr(SCRIPT)] in Page(scheduler).rows
    assert "<script" not in scheduler._repr_html_()


def test_hundreds_of_parameters_stay_short() -> None:
    many = Page(fs.Adam([np.ones(2) for _ in range(300)]))
    assert len(many.rows) == 3 + 4 + 1 + 2
    assert many.rows[1][:4] == ["0", "300", "600", "float64"]
    assert many.rows[7] == ["... 294 more ..."]
    groups = fs.SGD([{"params": [np.ones(1)], "lr": 1.0 + i} for i in range(300)])
    assert len(Page(groups).rows) == 2 + 7 + 7 + 6
    assert len(groups._repr_html_()) < 4000
    opt = fs.SGD([np.ones(2)])
    opt.param_groups[0]["lr"] = np.ones(100_000)
    assert len(opt._repr_html_()) < 1500


def test_unbound() -> None:
    opt = fs.Momentum(lr=0.5)
    assert Page(opt).texts == ["Momentum(lr=0.5)", "0 parameters, 0 bytes of state"]
    assert Page(opt).rows[1][:-1] == ["0", "0", "0", "-", "-", "0"]
    assert Page(opt).rows[1][-1].startswith("lr=0.5, ")
    assert Page(opt).rows[-1] == ["unbound", "parameters come with update(params, grads)"]
    other = copy.deepcopy(opt)
    opt.update([np.ones(2)], [np.ones(2)])
    assert Page(opt).rows[-1] == ["0", "float64 (2,)", "step 1", "16 bytes of state"]
    other.load_state_dict(opt.state_dict())
    assert "state was loaded for 1 parameter; parameters come" in Page(other).rows[-1][1]
    one = fs.Momentum()
    one.update_one("k", np.ones(2), np.ones(2))
    assert Page(one).rows[-1][0] == "'k'"


def test_wrappers_say_what_they_are_around() -> None:
    opt = fs.Accumulator(fs.Lookahead(fs.SGD([np.ones(2)])), 3)
    assert Page(opt).texts[:3] == [
        "Accumulator(steps=3) of",
        "Lookahead(k=5, alpha=0.5) of",
        "SGD(lr=0.001)",
    ]


def test_what_cannot_be_shown_is_no_error() -> None:
    class Unmade(fs.SGD):
        def __init__(self) -> None: ...

    assert Page(Unmade()).texts == [repr(Unmade())]
    opt = fs.SGD([np.ones(2)])
    opt.param_groups[0]["_mine"] = Sour()
    assert "_mine=<Sour instance at" in Page(opt).rows[1][-1]
    opt.param_groups[0][Sour()] = 1  # type: ignore[index]
    assert Page(opt).texts == [repr(opt)] == ["SGD: of the user's"]
    opt = fs.SGD([np.ones(2)])
    opt.param_groups.append({"params": []})
    assert Page(opt).texts == [repr(opt)]


def test_within_a_step() -> None:
    seen = []

    def factory(key: Any, name: str, like: Any, dtype: Any) -> Any:
        seen.append(Page(opt).texts[0])
        return np.zeros(like.shape, dtype)

    opt = fs.Momentum([np.ones(2)], state_factory=factory)
    opt.step([np.ones(2)])
    assert seen[0].startswith("Momentum")
    thread = threading.Thread(target=lambda: seen.append(opt._repr_html_()))
    thread.start()
    thread.join(60)
    assert seen[-1] == opt._repr_html_()


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedulers(name: str) -> None:
    scheduler = SCHEDULES[name].make(stepped())
    scheduler.step()
    page = Page(scheduler)
    assert page.texts == [type(scheduler).__name__]
    head, *options, epoch, rates = page.rows
    assert head == ["option", "value"]
    assert epoch == ["epoch", str(scheduler.last_epoch)]
    assert rates == ["learning rates", repr(scheduler.get_last_lr())]
    told = ", ".join(f"{option}={value}" for option, value in options)
    assert repr(scheduler) == (
        f"{page.texts[0]}({told}): epoch {scheduler.last_epoch}, lr {scheduler.get_last_lr()}"
    )


@pytest.mark.parametrize("name", [n for n in fs.schedulers.__all__ if n != "plot"])
def test_a_scheduler_before_its_constructor(name: str) -> None:
    cls = getattr(fs.schedulers, name)
    rows = Page(cls.__new__(cls)).rows
    assert rows[1:] == [["epoch", "None"], ["learning rates", "None"]]


def test_it_costs_nothing_before_it_is_asked_for() -> None:
    program = """
import numpy, ferrostep as fs
fs.schedulers.StepLR(fs.SGD([numpy.ones(2)]), 1)
print("ferrostep.markup" in sys.modules)
"""
    assert output(program) == ["False"]
