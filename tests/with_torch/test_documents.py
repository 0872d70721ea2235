"""The code of README and of the classes' docstrings that takes torch."""

from __future__ import annotations

import re
from inspect import getdoc
from pathlib import Path
from typing import Any

import pytest
import torch

from ferrostep import optimizers
from ferrostep.compat import torch as compat
from support.pages import blocks

BLOCKS = [block for block in blocks("README.md") if block.startswith("import torch\n")]


def test_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = BLOCKS
    found: dict[str, Any] = {}
    torch.manual_seed(1)
    exec(compile(block, "README.md", "exec"), found)
    torch.optim.AdamW(found["model"].parameters()).load_state_dict(
        torch.load("optimizer.pt", weights_only=True)
    )
    assert found["loss"].item() < 0.5


@pytest.mark.parametrize("name", sorted(optimizers.__all__))
def test_docstrings(name: str) -> None:
    cls = getattr(compat, name)
    code = re.findall(r"^>>> (.*?)  # doctest: \+SKIP$", getdoc(cls) or "", re.M)
    assert len(code) == 3
    found: dict[str, Any] = {"model": torch.nn.Linear(2, 1)}
    exec("\n".join(code), found)
    assert isinstance(found["opt"], cls)
