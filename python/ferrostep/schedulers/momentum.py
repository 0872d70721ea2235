"""The momentum that some schedulers cycle beside the rate: ``betas[0]``, or else ``momentum``."""

from __future__ import annotations

from typing import Any

from ferrostep.schedulers.checks import BELOW_ONE, NOT_NEGATIVE, Bound


def uses_betas(optimizer: Any) -> bool:
    return "betas" in getattr(optimizer, "defaults", {})


def bound(optimizer: Any) -> Bound:
    return BELOW_ONE if uses_betas(optimizer) else NOT_NEGATIVE


def check(optimizer: Any, cycle_momentum: bool) -> None:
    """Refuse to cycle what the optimizer has not."""
    if cycle_momentum and not (
        uses_betas(optimizer) or "momentum" in getattr(optimizer, "defaults", {})
    ):
        raise ValueError(
            f"cycle_momentum must be False for {type(optimizer).__name__}, "
            f"which has neither 'momentum' nor 'betas' among its defaults, found {cycle_momentum!r}"
        )

    if cycle_momentum and hasattr(optimizer, "eval"):  # which would no longer find the average
        raise ValueError(
            f"cycle_momentum must be False for {type(optimizer).__name__}, whose momentum is how "
            f"much of a parameter is the average, found {cycle_momentum!r}"
        )


def put(optimizer: Any, group: dict[str, Any], momentum: float) -> None:
    if not uses_betas(optimizer):
        group["momentum"] = momentum
        return
    betas = group["betas"]
    if not isinstance(betas, (tuple, list)):
        raise ValueError(f"a group's betas must be two numbers, found {betas!r}")
    group["betas"] = (momentum, *betas[1:])
