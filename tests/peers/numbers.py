"""The libraries themselves beside ours, step by step, in float64."""

from __future__ import annotations

from pathlib import Path

from peers.suite import Suite

SUITES = (
    Suite(
        "numbers",
        (str(Path(__file__).with_name("side_by_side.py")),),
        plugin="peers",
        environment={"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
    ),
)
