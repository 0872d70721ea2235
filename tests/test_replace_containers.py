"""What `replace` does to the list or dict that the parameter came in."""

from __future__ import annotations

import copy
import pickle
from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import ferrostep as fs

Layer = namedtuple("Layer", "W b")


def w() -> Any:
    return np.zeros((2, 3))


#: Containers of one or more arrays, the first of which is replaced; what stands there.
CONTAINERS: dict[str, tuple[Any, Any]] = {
    "list": ([w(), np.zeros(2)], lambda c: c[0]),
    "dict": ({"w": w(), "b": np.zeros(2)}, lambda c: c["w"]),
    "pairs": ([("w", w()), ("b", np.zeros(2))], lambda c: c[0][1]),
    "tree": ({"layers": [{"w": w()}, {"b": np.zeros(2)}]}, lambda c: c["layers"][0]["w"]),
    "array": (w(), None),
    "tuple": ((w(), np.zeros(2)), None),
    "named tuple": ([Layer(w(), np.zeros(2))], None),
    "groups": ([{"params": [w()]}, {"params": {}}], None),
}
WATCHED = [name for name, (_, there) in CONTAINERS.items() if there is not None]


def made(kind: str) -> tuple[fs.Optimizer, Any, Any]:
    """An optimizer that has stepped, the container, and its gradients for so many rows."""
    container, there = copy.deepcopy(CONTAINERS[kind])
    opt = fs.Momentum(container if kind != "groups" else container[:1], lr=1.0)

    def grads(rows: int = 2) -> Any:
        arrays = [np.ones((rows, 3)), *(np.ones(2) for _ in opt._parameters()[1:])]
        return arrays if opt._names is None else dict(zip(opt._names, arrays, strict=True))

    opt.step(grads())
    return opt, container, (there, grads)


@pytest.mark.parametrize("kind", CONTAINERS)
def test_the_new_array_is_written_where_the_old_one_was(kind: str) -> None:
    opt, container, (there, grads) = made(kind)
    new = np.zeros((4, 3))
    opt.replace(next(iter(opt.state)), new)
    opt.step(grads(4))
    assert (new != 0).all()
    assert opt.param_groups[0]["params"][0] is new
    if there is not None:
        assert there(container) is new
    twin = pickle.loads(pickle.dumps(opt))
    twin.step(grads(4))


def write(kind: str, container: Any, new: Any) -> None:
    match kind:
        case "list":
            container[0] = new
        case "dict":
            container["w"] = new
        case "pairs":
            container[0] = ("w", new)
        case "tree":
            container["layers"][0]["w"] = new


@pytest.mark.parametrize("kind", WATCHED)
def test_who_wrote_it_there_first(kind: str) -> None:
    opt, container, (there, grads) = made(kind)
    new = np.zeros((4, 3))
    write(kind, container, new)
    opt.replace(next(iter(opt.state)), new)
    assert there(container) is new
    opt.step(grads(4))
    # It is watched on.
    write(kind, container, np.zeros((4, 3)))
    with pytest.raises(ValueError, match="was replaced in your"):
        opt.step(grads(4))


@pytest.mark.parametrize("kind", WATCHED)
def test_a_third_array_is_refused(kind: str) -> None:
    opt, container, (there, grads) = made(kind)
    third, before = np.zeros((2, 3)), copy.copy(container)
    old = there(container)
    write(kind, container, third)
    message = "must be the old or the new array in your (list|dict), found another there; put one"
    with pytest.raises(ValueError, match=message):
        opt.replace(next(iter(opt.state)), np.zeros((4, 3)))
    assert there(container) is third
    if kind == "pairs":  # it is the pair that is watched
        container[0] = before[0]
    else:
        write(kind, container, old)
    opt.step(grads())


def test_a_parameter_that_is_gone_from_its_dict_does_not_come_back() -> None:
    opt, container, (_, grads) = made("dict")
    del container["w"]
    opt.replace("w", np.zeros((1, 3)))
    assert list(container) == ["b"]
    opt.step(grads(1))
