"""Calls that happen wholly or not at all."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
S = TypeVar("S")


def whole(
    method: Callable[Concatenate[S, P], None],
) -> Callable[Concatenate[S, P], None]:
    """Let a call that fails change neither the scheduler nor the groups of its optimizer."""

    @wraps(method)
    def call(self: S, /, *args: P.args, **options: P.kwargs) -> None:
        optimizer: Any = getattr(self, "optimizer", args[0] if args else options.get("optimizer"))
        found = getattr(optimizer, "param_groups", None)
        groups = [g for g in found if isinstance(g, dict)] if isinstance(found, list) else []
        mine, theirs = dict(self.__dict__), [dict(group) for group in groups]
        try:
            method(self, *args, **options)
        except BaseException as error:
            self.__dict__.clear()
            self.__dict__.update(mine)
            for group, before in zip(groups, theirs, strict=True):
                group.clear()
                group.update(before)
            if isinstance(error, OverflowError):
                raise ValueError(f"a rate is beyond what a float holds: {error}") from error
            raise

    return call
