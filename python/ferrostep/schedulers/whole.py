"""Calls that happen wholly or not at all."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from ferrostep.loading import restoring

P = ParamSpec("P")
S = TypeVar("S")


def held(scheduler: Any, optimizer: Any) -> list[dict[str, Any]]:
    """Return the live dicts that hold a scheduler, ours or a user's, and its optimizer's rates."""
    if hasattr(scheduler, "_dicts"):
        mine = scheduler._dicts()
    else:  # with slots there is none
        mine = [vars(scheduler)] if hasattr(scheduler, "__dict__") else []
    groups = getattr(optimizer, "param_groups", None)
    theirs = [g for g in groups if isinstance(g, dict)] if isinstance(groups, list) else []
    return [*mine, *theirs]


def whole(
    method: Callable[Concatenate[S, P], None],
) -> Callable[Concatenate[S, P], None]:
    """Let a call that fails change neither the scheduler nor the groups of its optimizer."""

    @wraps(method)
    def call(self: S, /, *args: P.args, **options: P.kwargs) -> None:
        optimizer: Any = getattr(self, "optimizer", args[0] if args else options.get("optimizer"))
        restore = restoring(held(self, optimizer))
        try:
            method(self, *args, **options)
        except BaseException as error:
            restore()
            if isinstance(error, OverflowError):
                raise ValueError(f"a rate is beyond what a float holds: {error}") from error
            raise

    return call
