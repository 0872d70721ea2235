"""Saved trees with one place of them changed."""

from __future__ import annotations

from typing import Any

import numpy as np


def mangled(tree: Any, path: tuple[int, ...], how: str, value: Any) -> Any:
    """A saved tree with one place of it changed: `path` counts its way down."""
    parent, key, here = None, None, tree
    for number in path:
        keys = (
            list(here)
            if isinstance(here, dict)
            else list(range(len(here)))
            if isinstance(here, list)
            else []
        )
        if not keys:
            break
        parent, key = here, keys[number % len(keys)]
        here = here[key]
    match how:
        case "replace":
            new = value
        case "remove":
            if parent is not None:
                del parent[key]
            return tree
        case "add":
            if isinstance(here, dict):
                here["something"] = value
            elif isinstance(here, list):
                here.append(value)
            return tree
        case "shape":
            new = np.append(here, here.reshape(-1)[:1]) if isinstance(here, np.ndarray) else value
        case "dtype":
            new = here.astype(">f8") if isinstance(here, np.ndarray) else value
        case "negative":
            new = -here - 1 if isinstance(here, int | float | np.ndarray) else value
        case "twice":
            new = [*here, *here] if isinstance(here, list) else value
        case _:
            new = here[..., ::-1] if isinstance(here, np.ndarray) and here.ndim else value
    if parent is None:
        return new
    parent[key] = new
    return tree
