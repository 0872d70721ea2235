"""The benchmark's tables are whole, and a run becomes a page. No time is asserted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import benchmarks.__main__ as command
from benchmarks import answers, document, goals, peers, plots, results
from benchmarks.cases import Case, cases, chosen
from benchmarks.measure import Turn
from cases import CLASSES

ROOT = Path(__file__).parent.parent
PAIR = ("--peer", "NumPy", "--peer", "NumPy with buffers")
TABLE = cases(threads=2)
FACTS = ["processor", "family", "threads", "tier", "python", "numpy", "ferrostep", "date"]


def run(tmp_path: Path, *arguments: str) -> results.Run:
    app = typer.Typer()
    app.command()(command.main)
    path = tmp_path / "benchmarks.json"
    done = CliRunner().invoke(app, [*arguments, "--quick", "--json", str(path)])
    assert done.exit_code == 0, done.output
    return results.load(path)


def test_every_optimizer_is_measured_against_its_floor() -> None:
    table = chosen(TABLE, ["optimizers:", "rows:", "matrices:"])
    measured = {e.problem.optimizer for case in table for e in case.entries}
    assert measured == {cls.__name__ for cls in CLASSES}


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_one_name_is_one_case_and_one_label_one_entry(threads: int) -> None:
    table = cases(threads)
    assert len({case.name for case in table}) == len(table)
    for case in (case for case in table if isinstance(case, Case)):
        assert len({entry.label for entry in case.entries}) == len(case.entries)
        assert {entry.peer for entry in case.entries} <= set(peers.PEERS)


def test_every_goal_is_about_a_case_of_the_table() -> None:
    named = {case.name: case for case in TABLE}
    assert len(goals.GOALS) == len(set(goals.GOALS))
    for goal in goals.GOALS:
        case = named[goal.case]
        if isinstance(case, Case):
            assert {goal.of, *goal.against} <= {entry.label for entry in case.entries}


def test_a_run_becomes_json_and_a_page(tmp_path: Path) -> None:
    found = run(
        tmp_path, "--case", "Adam 10 x 100", "--peer", "NumPy", "--peer", "NumPy with buffers"
    )
    case = found.case("Adam 10 x 100")
    assert case is not None
    for label in ("ferrostep", "NumPy", "NumPy with buffers"):
        assert case.median(label)
    document.main(tmp_path / "benchmarks.json")
    page = (tmp_path / "benchmarks.md").read_text()
    assert "Adam 10 x 100" in page
    for picture in ("benchmarks-sizes.svg", "benchmarks-floor.svg"):
        assert picture in page
        assert (tmp_path / picture).exists()


def test_memory_of_a_step_is_measured(tmp_path: Path) -> None:
    found = run(tmp_path, "--case", "Adam, memory")
    line = found.cases[0].found[0]
    assert line.median is not None, line.error


def test_what_cannot_run_is_a_line_with_its_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(peers.PEERS, "NumPy", "no_such_file:Peer")
    peers.load.cache_clear()
    found = run(tmp_path, "--case", "peers: Adam 10 x 100", "--peer", "NumPy")
    peers.load.cache_clear()
    line = next(line for line in found.cases[0].found if line.label == "NumPy")
    assert "no_such_file" in (line.error or "")
    assert "no_such_file" in found.absent["NumPy"]


def test_a_case_in_torch_is_measured_or_says_why(tmp_path: Path) -> None:
    found = run(tmp_path, "--case", "AdamW in torch 10 x 100", "--peer", "torch fused")
    for line in found.cases[0].found:
        assert (line.median is None) != (line.error is None)
    document.main(tmp_path / "benchmarks.json")
    assert "## In the place of torch's" in (tmp_path / "benchmarks.md").read_text()


def test_gradients_are_made_anew_before_each_step() -> None:
    done: list[str] = []
    turn = Turn(lambda: None, done.append, "step", lambda: done.append("renew"))
    turn.take()
    assert len(done) > 2
    assert set(zip(done[::2], done[1::2], strict=True)) == {("renew", "step")}


def test_other_answers_are_not_measured() -> None:
    wanted = [np.zeros(5, np.float32)]
    answers.compare([np.full(5, 1e-6, np.float32)], wanted, 1e-5)
    with pytest.raises(answers.DisagreementError):
        answers.compare([np.full(5, 1e-6, np.float32)], wanted, 0.0)
    with pytest.raises(answers.DisagreementError):
        answers.compare([np.full(5, np.nan, np.float32)], wanted, 1e-5)


def test_readme_has_a_place_for_figures() -> None:
    readme = (ROOT / "README.md").read_text()
    found = results.Run(dict.fromkeys(FACTS, "?"), {}, {})
    changed = document.with_figures(readme, found)
    assert changed != readme
    assert document.with_figures(changed, found) == changed


def test_names_beside_a_picture_do_not_lie_on_each_other() -> None:
    assert plots._apart([3.0, 1.0, 1.0, 1.25], 1.0) == [3.0625, 0.0625, 1.0625, 2.0625]
    assert plots._apart([0.0, 5.0], 1.0) == [0.0, 5.0]
