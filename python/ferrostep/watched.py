"""What is watched of the lists and dicts that parameters came in, once some of these are gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ferrostep import tree
from ferrostep.params import Container

_Watched = tuple[Any, Sequence[str] | None, Sequence[Any], Sequence[int | str]]


def without(containers: Iterable[_Watched], params: list[Any], gone: range) -> list[Container]:
    """Return what is left to watch once the parameters of these numbers are gone.

    A list in which others stand behind one of them is watched up to there alone, since its owner
    may close the gap.
    """
    stay = {id(param) for i, param in enumerate(params) if i not in gone}
    watched: list[Container] = []
    for object_, keys, held, which in containers:
        if object_ is None:  # it says that arrays were doubled
            watched.append((object_, None, list(held), list(which)))
            continue
        places = [
            place
            for place, (value, what) in enumerate(zip(held, which, strict=True))
            if (what not in gone if isinstance(what, int) else _holds(value, stay))
        ]
        if not any(held[place] is not None for place in places):
            continue
        if keys is None:
            places = [place for i, place in enumerate(places) if place == i]
        left = [which[place] for place in places]
        watched.append(
            (
                object_,
                None if keys is None else [keys[place] for place in places],
                [held[place] for place in places],
                [i - len(gone) if isinstance(i, int) and i >= gone.stop else i for i in left],
            )
        )
    return watched


def _holds(value: Any, params: set[int]) -> bool:
    """Whether this place has one of these arrays in it, or is empty and must stay so."""
    return value is None or any(id(leaf) in params for _, leaf, _ in tree.walk(value))
