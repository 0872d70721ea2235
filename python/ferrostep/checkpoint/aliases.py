"""Arrays that share memory: what is loaded into one would overwrite the other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ferrostep.params import adopted


class _Place(NamedTuple):
    """Where an array lies: addresses of the host and of devices never coincide."""

    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    itemsize: int
    label: str

    @property
    def extent(self) -> range:
        reach = [(n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True)]
        low = self.start + sum(length for length in reach if length < 0)
        return range(low, self.start + sum(n for n in reach if n > 0) + self.itemsize)

    @property
    def plain(self) -> bool:
        """Whether no two of its elements can share a byte, as far as strides tell at once."""
        need = self.itemsize
        for stride, n in sorted(zip(map(abs, self.strides), self.shape, strict=True)):
            if n > 1:
                if stride < need:
                    return False
                need = stride * n
        return True

    def of(self, marks: NDArray[np.bool], begin: int, grain: int) -> NDArray[np.bool]:
        """The marks that stand for its bytes; the first stands for those from `begin` on."""
        shape = (*self.shape, self.itemsize // grain)
        strides = (*(stride // grain for stride in self.strides), 1)
        return np.ndarray(shape, np.bool, marks, (self.start - begin) // grain, strides)


def check_aliases(labels: Sequence[str], arrays: Sequence[Any]) -> None:
    """Refuse arrays of which two have a byte in common, or one has a byte twice."""
    places = [_place(*pair) for pair in zip(labels, arrays, strict=True)]
    for cluster in _clusters([place for place in places if 0 not in place.shape]):
        if len(cluster) > 1 or not cluster[0].plain:
            _check(cluster)


def _place(label: str, array: Any) -> _Place:
    on_device = adopted(array)
    start = array.__array_interface__["data"][0] if on_device is None else on_device.data.ptr
    return _Place(start, array.shape, array.strides, array.dtype.itemsize, label)


def _clusters(places: list[_Place]) -> Iterator[list[_Place]]:
    """Those whose extents hang together; apart from the rest, mostly one each."""
    cluster: list[_Place] = []
    end = 0
    for place in sorted(places, key=lambda place: place.extent.start):
        if cluster and place.extent.start >= end:
            yield cluster
            cluster = []
        cluster.append(place)
        end = max(end, place.extent.stop)
    if cluster:
        yield cluster


def _check(cluster: list[_Place]) -> None:
    """Mark what each one has: as much work as writing them, in whatever way they interlace."""
    begin = cluster[0].extent.start
    end = max(place.extent.stop for place in cluster)
    numbers = (n for p in cluster for n in (p.start - begin, p.itemsize, *p.strides))
    grain = math.gcd(*numbers)
    marks = np.zeros((end - begin) // grain, np.bool)
    for i, place in enumerate(cluster):
        mine = place.of(marks, begin, grain)
        if mine.any():
            other = next(p for p in cluster[:i] if _meet(p, place, begin, grain, len(marks)))
            raise ValueError(f"{other.label} and {place.label} share memory: give one of them")
        mine[...] = True
        if not place.plain:
            alone = np.zeros_like(marks)
            place.of(alone, begin, grain)[...] = True
            if np.count_nonzero(alone) != mine.size:
                raise ValueError(f"{place.label} has elements that share memory: give a copy")


def _meet(first: _Place, second: _Place, begin: int, grain: int, length: int) -> bool:
    marks = np.zeros(length, np.bool)
    first.of(marks, begin, grain)[...] = True
    return bool(second.of(marks, begin, grain).any())
