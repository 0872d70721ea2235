"""The demo: its gradients are right, every contestant equals the update by hand, it draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ferrostep as fs
from ferrostep import demo
from ferrostep.demo import mlp, report, storage, storage_page, train, tuning, valley


def test_gradients_against_finite_differences() -> None:
    rng = np.random.default_rng(0)
    params = [p.astype(np.float64) for p in mlp.make([5, 7, 3], rng)]
    x, y = rng.standard_normal((11, 5)), rng.integers(0, 3, 11)
    _, grads = mlp.loss_and_gradients(params, x, y)
    for p, g in zip(params, grads, strict=True):
        for index in np.ndindex(p.shape):
            kept = p[index]
            p[index] = kept + 1e-6
            above, _ = mlp.loss_and_gradients(params, x, y)
            p[index] = kept - 1e-6
            below, _ = mlp.loss_and_gradients(params, x, y)
            p[index] = kept
            assert (above - below) / 2e-6 == pytest.approx(g[index], abs=1e-8)


@pytest.mark.parametrize("contestant", train.contestants(), ids=lambda c: c.name)
def test_same_bits_as_by_hand(contestant: train.Contestant) -> None:
    *_, run = train.train(contestant, 2)
    assert run.same_bits
    assert run.losses[1] < run.losses[0]


def test_main_draws_its_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(["--epochs", "1", "--output", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"losses.png", "tuning.png", "valley.png"}
    out = capsys.readouterr().out
    assert "Momentum + schedule" in out
    assert "of the test digits are read over" in out


def test_table_fits_eighty_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    report.table([run for contestant in train.contestants() for run in train.train(contestant, 1)])
    out = capsys.readouterr().out
    rows = [line for line in out.splitlines() if line.rstrip().endswith("same")]
    assert len(rows) == len(train.contestants())
    assert "\u2026" not in "".join(rows)


def test_bad_output_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit):
        demo.main(["--output", str(tmp_path / "file")])


def test_missing_extra_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda name: None if name == "rich" else name)
    with pytest.raises(ImportError, match=r"needs rich; pip install 'ferrostep\[demo\]'"):
        demo.require_extra()


CONTESTANTS = {contestant.name: contestant for contestant in storage.contestants()}


@pytest.mark.parametrize("kind", storage.KINDS, ids=str)
@pytest.mark.parametrize("name", ["Momentum", "Adam", "Adam, eps=1e-4"])
def test_every_storage_kind_learns(name: str, kind: storage.Kind) -> None:
    if name == "Adam" and kind.state == "float16":
        pytest.skip("does not learn: see test_float16_loses_small_squares")
    result = storage.train(CONTESTANTS[name], kind, epochs=5, seed=1)
    assert result.accuracy > 0.9


def test_float16_loses_small_squares() -> None:
    for dtype, limit in (("float32", 2e-3), ("bfloat16", 2e-3), ("float16", 50.0)):
        p = np.zeros(1, np.float32)
        opt = fs.Adam(p, lr=1e-3, state_dtype=dtype)
        for gradient in (1e-3, 0.0):
            opt.step(np.full(1, gradient, np.float32))
        assert limit / 4 < -p[0] < limit
        assert (opt.state[0]["exp_avg_sq"][0] == 0) == (dtype == "float16")


def test_storage_counts_bytes() -> None:
    halves = [storage.train(CONTESTANTS["Adam"], kind, 1, 1).bytes for kind in storage.KINDS[:2]]
    assert halves[0] * 2 == halves[1] * 3


def test_storage_writes_its_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "SEEDS", (1,))
    path = tmp_path / "docs" / "storage.md"
    assert demo.main(["--epochs", "1", "--storage", str(path)]) == 0
    text = path.read_text()
    assert text.count("| Momentum + schedule |") == 4
    assert max(map(len, capsys.readouterr().out.splitlines()[:-1])) <= 100
    with pytest.raises(SystemExit):
        demo.main(["--storage", str(tmp_path)])


def test_divergence_is_named() -> None:
    row = ("Adam", [storage.Result(float("nan"), 0.1, 0.0, 8)] * len(storage.KINDS))
    assert storage_page.page([row], 1).count("| diverged") == len(storage.KINDS)


def tuned(name: str, losses: list[float], accuracies: list[float]) -> tuning.Tuned:
    made = zip(tuning.RATES, losses, accuracies, strict=False)
    return tuning.Tuned(name, tuple(tuning.Trained(r, (x,) * 3, (a,) * 3) for r, x, a in made))


def test_the_longest_row_of_good_rates_is_told() -> None:
    wide = tuned("Adam", [3, 2, 1, 0.5, 1], [0.96, 0.1, 0.95, 0.97, 0.99])
    narrow = tuned("SGD", [3, 0.25, 9, np.inf, np.inf], [0.1, 0.96, 0.1, 0.1, 0.1])
    assert (wide.decades, wide.best.rate) == (1.0, tuning.RATES[3])
    assert (narrow.decades, tuned("none", [1.0], [0.5]).decades) == (1 / 3, 0)
    said = tuning.conclusion([narrow, wide])
    assert "over 1.0 decades of learning rates with Adam and over 0.3 with SGD" in said
    assert f"the lowest loss of all was that of SGD at {tuning.RATES[1]:g}." in said


def test_a_training_that_diverges_ends_at_infinity() -> None:
    sgd = train.contestants()[0]
    loss, _ = tuning.once(sgd, 0.1, 2, seed=1)
    assert loss < 1
    with np.errstate(all="ignore"):
        assert tuning.once(sgd, 1e30, 2, seed=1)[0] == np.inf


@pytest.mark.parametrize("walker", valley.WALKERS, ids=lambda walker: walker.name)
def test_the_best_rate_leads_lower_than_the_common_one(walker: valley.Walker) -> None:
    best, common = (valley.walk(walker, r) for r in (valley.best_rate(walker), valley.COMMON))
    assert len(best) == valley.STEPS + 1
    assert valley.height(best[-1]) <= valley.height(common[-1])
    assert valley.height(best[-1]) < valley.height(valley.START) / 10
