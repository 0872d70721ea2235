"""The Python code of README and of pages runs, as it stands, one block after the other."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.pages import blocks

README = blocks("README.md")
#: Pages whose blocks stand for themselves, and those whose blocks go on from each other.
ALONE = {
    f"{page} {i}": code for page in ["docs/gradients.md"] for i, code in enumerate(blocks(page))
}
PAGES = {page: "\n".join(blocks(page)) for page in ["docs/scipy.md", "docs/schedules.md"]}


def names() -> dict[str, Any]:
    """What the blocks take for granted."""
    shapes = {"W1": (3, 4), "W2": (4, 2), "b1": (4,), "b2": (2,)}
    arrays = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    params = list(arrays.values())
    return {
        "np": np,
        "fs": fs,
        **arrays,
        "params": params,
        "grads": [np.ones_like(p) for p in params],
        "batches": [(None, None)] * 3,
        "backward": lambda params, x, y: [np.ones_like(p) for p in params],
        "loss_scale": 128.0,
    }


def skip_without(code: str) -> None:
    """Skip what imports a library that is not installed."""
    for library in re.findall(r"^(?:import|from) (\w+)", code, re.M):
        if library == "cupy":
            pytest.skip("it takes a device")
        if find_spec(library) is None:
            pytest.skip(f"{library} is not installed")


@pytest.mark.parametrize("block", README, ids=range(len(README)))
def test_readme(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_without(block)
    monkeypatch.chdir(tmp_path)
    np.save("pretrained.npy", np.ones(3))
    given = names()
    if "opt = " not in block and "opt" in block:
        given["opt"] = fs.Adam(given["params"])

    code = block.replace("/data/scratch", str(tmp_path)).replace("\n    ...\n", "\n    pass\n")
    exec(compile(code, "README.md", "exec"), given)


def test_the_blocks_are_found() -> None:
    assert len(README) > 10
    assert len(ALONE) == 3


@pytest.mark.parametrize("name", {**ALONE, **PAGES})
def test_pages(name: str) -> None:
    code = {**ALONE, **PAGES}[name]
    skip_without(code)
    exec(compile(code, name, "exec"), {})
