"""The demo: its gradients are right, every contestant equals the update by hand, it draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ferrostep import demo
from ferrostep.demo import mlp, train


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


def test_main_draws_two_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(["--epochs", "1", "--output", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"losses.png", "valley.png"}
    assert "Momentum + schedule" in capsys.readouterr().out


def test_table_fits_eighty_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    demo.main(["--epochs", "1", "--output", str(tmp_path)])
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
    with pytest.raises(ImportError, match=r"needs rich: pip install 'ferrostep\[demo\]'"):
        demo.require_extra()
