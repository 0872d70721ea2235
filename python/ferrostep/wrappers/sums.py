"""Sums of gradients that are not finished yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ferrostep._native import Rows
from ferrostep.backends import cuda
from ferrostep.differences import of_names
from ferrostep.params import adopted
from ferrostep.saved import LOADED, whole
from ferrostep.wrappers import rules
from ferrostep.wrappers.base import layout_differences


class PartialSum:
    """An array for each of those parameters that have a gradient, in the type of its steps."""

    def __init__(self, which: tuple[int, ...], params: list[Any]) -> None:
        self.which = which
        self._arrays = [_room_for(params[i]) for i in which]
        self._rule = rules.Sum(self._arrays) if which else None

    @property
    def arrays(self) -> dict[int, Any]:
        """By the numbers of the parameters."""
        return dict(zip(self.which, self._arrays, strict=True))

    def begin(self) -> None:
        """Forget what was added."""
        if self._rule is not None:
            self._rule.reset()

    def add(self, values: Mapping[int, Any], grad_scale: float | None = None) -> None:
        """Add arrays, times the factor."""
        if self._rule is not None:
            self._rule.step([values.get(i) for i in self.which], grad_scale=grad_scale)


@dataclass(frozen=True)
class Unfinished:
    """The gradients of `count` calls: a tree of pairs, of which whole branches are added up.

    ``sums[i]`` has those of ``2**i`` calls, and is there if that bit of the count is set.
    """

    count: int = 0
    sums: tuple[PartialSum | None, ...] = ()
    #: `Rows` in the order of the calls.
    rows: Mapping[int, list[Rows]] = field(default_factory=dict)

    def merged(self, *, all_of_them: bool) -> list[PartialSum]:
        """Return the branches that one more gradient completes, the smallest first; or all."""
        found = []
        for known in self.sums:
            if known is not None:
                found.append(known)
            elif not all_of_them:
                break
        return found

    def whole(self) -> set[int]:
        """Return the parameters that have had whole gradients."""
        return {i for known in self.sums if known is not None for i in known.which}

    def and_one(self, total: PartialSum, rows: Mapping[int, list[Rows]]) -> Unfinished:
        """Return it with one gradient more, with which these branches have become `total`."""
        level = len(self.merged(all_of_them=False))
        sums = (*[None] * level, total, *self.sums[level + 1 :])
        return Unfinished(self.count + 1, sums, rows)

    # As a state dict has it.

    def saved(self, keys: list[Any]) -> dict[str, Any]:
        sums = [
            known and {keys[i]: array for i, array in known.arrays.items()} for known in self.sums
        ]
        rows = {
            keys[i]: [{"indices": one.indices, "values": one.values} for one in found]
            for i, found in self.rows.items()
        }
        return {"count": self.count, "sums": sums, "rows": rows}

    @staticmethod
    def differences(saved: Mapping[str, Any], keys: list[Any], params: list[Any]) -> Iterator[str]:
        """Say what keeps it from being read, but for arrays' values."""
        try:
            count = whole(saved["count"], "the count of Accumulator", LOADED)
        except ValueError as error:
            yield str(error)
            return
        sums, rows, param = saved["sums"], saved["rows"], dict(zip(keys, params, strict=True))
        bits = [bool(count >> i & 1) for i in range(count.bit_length())]
        if not isinstance(sums, list) or [known is not None for known in sums] != bits:
            yield f"the sums of Accumulator must be those of {count} gradients, found {sums!r:.200}"
            return
        for known in [known for known in sums if known is not None]:
            if not isinstance(known, Mapping):
                yield f"a sum of Accumulator must be a dict, found {known!r:.200}"
                continue
            yield from of_names("Accumulator", known, [k for k in known if k in param], "sum")
            for key in known.keys() & param.keys():
                yield from layout_differences("sum", key, known[key], param[key])
        if not isinstance(rows, Mapping):
            yield f"the rows of Accumulator must be a dict, found {rows!r:.200}"
            return
        yield from of_names("Accumulator", rows, [k for k in rows if k in param], "rows of")
        for key in rows.keys() & param.keys():
            try:
                _read_rows(rows[key], param[key])
            except (ValueError, TypeError, KeyError) as error:
                yield f"the rows of parameter {key!r} in Accumulator do not fit: {error}"

    @staticmethod
    def read(saved: Mapping[str, Any], keys: list[Any], params: list[Any]) -> Unfinished:
        """Return what fits; arrays are copied."""
        place = {key: i for i, key in enumerate(keys)}
        sums: list[PartialSum | None] = []
        for known in saved["sums"]:
            made = None
            if known is not None:
                made = PartialSum(tuple(sorted(place[key] for key in known)), params)
                for i, array in made.arrays.items():
                    cuda.assign(array, cuda.to_host(known[keys[i]]))
            sums.append(made)
        rows = {
            place[key]: _read_rows(found, params[place[key]])
            for key, found in saved["rows"].items()
        }
        return Unfinished(whole(saved["count"], "the count of Accumulator"), tuple(sums), rows)


def copied(rows: Rows, param: Any, grad_scale: float | None) -> Rows:
    """Return rows with values of their own, times the factor, in the type of a step."""
    values = rows.values
    if adopted(values) is not None:
        raise ValueError(
            "Rows on a device are not added up over calls; give Accumulator whole gradients there"
        )
    made = np.empty(values.shape, compute_type(param))
    rules.Sum([made]).step([values], grad_scale=grad_scale)
    return Rows(rows.indices, made)


def joined(found: list[Rows]) -> Rows:
    """Return all of them as one, in their order."""
    return Rows(
        np.concatenate([one.indices for one in found]),
        np.concatenate([one.values for one in found]),
    )


def compute_type(array: Any) -> str:
    return "float64" if array.dtype.itemsize == 8 else "float32"


def _read_rows(saved: Any, param: Any) -> list[Rows]:
    found = [
        Rows(cuda.to_host(one["indices"]), np.array(cuda.to_host(one["values"]))) for one in saved
    ]
    for one in found:
        wanted = (one.values.shape[:1] + param.shape[1:], compute_type(param))
        if (one.values.shape, one.values.dtype.name) != wanted:
            shape, dtype = wanted
            what = f"shape {one.values.shape} and dtype {one.values.dtype}"
            raise ValueError(f"values have {what}, wanted {shape} and {dtype}")
        if one.indices.size and one.indices.max() >= len(param):
            most = one.indices.max()
            raise ValueError(f"indices must be below {len(param)}, found {most}")
    return found


def _room_for(param: Any) -> Any:
    dtype = compute_type(param)
    if adopted(param) is None:
        return np.empty_like(param, dtype, subok=False)
    return cuda.empty_like(param, dtype)
