"""One optimizer, or several by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ferrostep.backends import cuda
from ferrostep.checkpoint import values
from ferrostep.checkpoint.checks import (
    Content,
    by_name,
    class_difference,
    matched,
    names,
    objects,
    read_keys,
    tensor_name,
)
from ferrostep.checkpoint.container import Array, Container, Unread, storable
from ferrostep.differences import of_names, refuse
from ferrostep.loading import Loading
from ferrostep.options import NONFINITE
from ferrostep.saved import (
    WRAPPERS,
    arrays_in,
    check_layout,
    mapped,
    memory_in,
    read_options,
    whole,
    wrappers_in,
)

if TYPE_CHECKING:
    from ferrostep.checkpoint.needs import Checkpointed
    from ferrostep.partial import LoadReport

#: Beside these there may be WRAPPERS, encoded as `values` are.
OPTIMIZER = {"name", "class", "nonfinite", "skipped_steps", "groups", "state"}
STATE = {"param", "key", "step", "arrays"}
#: Beside it, where the class remembers numbers.
MEMORY = "memory"


def held(optimizer: Checkpointed) -> Any:
    """The parameters of a bound optimizer, with their names; None of an unbound one."""
    if not optimizer._bound:
        return None
    arrays, names = optimizer._parameters(), optimizer._names
    return arrays if names is None else dict(zip(names, arrays, strict=True))


def save(optimizers: Any, arrays: dict[str, Array]) -> Content:
    return [_save_optimizer(name, optimizer, arrays) for name, optimizer in _optimizers(optimizers)]


def tensors(content: Content) -> Iterator[str]:
    for saved in objects(content, OPTIMIZER, "optimizers", {WRAPPERS}):
        yield from values.references(saved.get(WRAPPERS))
        for entry in objects(saved["state"], STATE, "an optimizer's state", {MEMORY}):
            for array in read_keys(entry["arrays"], "arrays"):
                yield tensor_name(_state(saved["name"]), entry["key"], array)


def differences(optimizers: Any, content: Content, file: Container) -> Iterator[str]:
    given = _optimizers(optimizers)
    yield from of_names("the checkpoint", *names(given, content), "optimizer")
    for name, optimizer, saved in matched(given, content):
        optimizer._check_containers()
        label = "" if name is None else f"optimizer {name!r}: "
        other = class_difference(saved, optimizer._schema().name)
        if other is not None:
            yield label + other
            continue
        state = _state_dict_of(optimizer, saved, file)
        check_layout(state)
        yield from (label + difference for difference in optimizer._differences(state))


def plan(optimizers: Any, content: Content, file: Container, loading: Loading) -> None:
    for _, optimizer, saved in matched(_optimizers(optimizers), content):
        loading.add(optimizer._plan_load(_state_dict_of(optimizer, saved, file)))


def fit(
    optimizer: Checkpointed,
    content: Content,
    shapes: list[tuple[int, ...]] | None,
    file: Container,
) -> tuple[dict[str, Any], LoadReport]:
    """Return what fits of the one optimizer in the file, whose parameters have these shapes."""
    refuse(of_names("the checkpoint", *names([(None, optimizer)], content), "optimizer"))
    optimizer._check_containers()
    (saved,) = content
    other = class_difference(saved, optimizer._schema().name)
    refuse([] if other is None else [other])
    fitted, report = optimizer._fit(_state_dict_of(optimizer, saved, file), shapes)
    refuse(optimizer._differences(fitted))
    return fitted, report


def _optimizers(given: Any) -> list[tuple[str | None, Checkpointed]]:
    """The optimizers with their names; None for a single one."""
    found = by_name(given, "optimizers")
    for _, optimizer in found:
        if not hasattr(optimizer, "_schema"):
            found_type = type(optimizer).__name__
            raise TypeError(f"optimizer must be an optimizer or a dict of them, found {found_type}")
    return found


def _save_optimizer(name: str | None, optimizer: Checkpointed, arrays: dict[str, Array]) -> Content:
    cls = optimizer._schema().name
    label = cls if name is None else f"optimizer {name!r}"
    optimizer._check_containers()  # what is saved is to be what the model has
    saved = optimizer.state_dict(copy=False)
    groups = []
    for i, (mine, group) in enumerate(
        zip(optimizer.param_groups, saved["param_groups"], strict=True)
    ):
        # What could not be loaded is not saved.
        options = read_options(optimizer._schema(), i, mine, group)
        rest = {key: group[key] for key in ("params", "param_names") if key in group}
        groups.append(values.encode({**options, **rest}, f"group {i} of {label}"))
    schema = optimizer._schema()
    params = [param for group in saved["param_groups"] for param in group["params"]]
    names = [name for group in saved["param_groups"] for name in group.get("param_names") or ()]
    keys = dict(zip(params, names or params, strict=True))
    state = []
    for param, entry in saved["state"].items():
        key = keys[param]
        names = list(arrays_in(schema, entry))
        for array in names:
            what = f"state {array!r} of parameter {key!r} of {label}"
            found = storable(cuda.to_host(entry[array]), what)
            arrays[tensor_name(_state(name), key, array)] = found
        step = whole(entry.get("step", 0), f"the step of parameter {key!r} of {label}")
        state.append({"param": param, "key": key, "step": step, "arrays": names})
        if schema.memory:
            what = f"parameter {key!r} of {label}"
            state[-1][MEMORY] = values.encode(memory_in(schema, entry, what), what)

    def store(array: Array) -> str:
        prefix = _wrappers(name)
        stored = f"{prefix}{sum(known.startswith(prefix) for known in arrays)}"
        arrays[stored] = storable(array, f"an array of what {label} is in")
        return stored

    wrapped = {}
    if wrappers_in(saved):
        found = mapped(cuda.to_host, wrappers_in(saved))
        wrapped[WRAPPERS] = values.encode(found, f"the wrappers of {label}", store)
    return {
        **wrapped,
        "name": name,
        "class": cls,
        "nonfinite": optimizer._settings.nonfinite,
        "skipped_steps": saved.get("skipped_steps", 0),
        "groups": groups,
        "state": state,
    }


def check_saved(saved: Content) -> None:
    """Refuse what no optimizer has saved, whatever its class."""
    read_keys(
        [entry["param"] for entry in saved["state"]], "the parameters of an optimizer's state"
    )
    if not isinstance(saved["groups"], list):
        raise ValueError(f"an optimizer's groups must be a list, found {saved['groups']!r:.80}")
    if saved["nonfinite"] not in NONFINITE:
        raise ValueError(f"nonfinite must be one of {NONFINITE}, found {saved['nonfinite']!r:.80}")


def _state_dict_of(optimizer: Checkpointed, saved: Content, file: Container) -> dict[str, Any]:
    """The state dict as it was; arrays are read when they are asked for, and not kept.

    What can be seen of its arrays without reading them is what `Unread` has.
    """
    check_saved(saved)
    state, memory = _state(saved["name"]), optimizer._schema().memory
    around = {}
    if WRAPPERS in saved:
        prefix, fetch = _wrappers(saved["name"]), partial(Unread, file)
        around[WRAPPERS] = values.decode(saved[WRAPPERS], "the wrappers", fetch, prefix)
    return {
        **around,
        "state": {entry["param"]: _Entry(entry, memory, state, file) for entry in saved["state"]},
        "param_groups": [values.decode(group, "a group") for group in saved["groups"]],
        "skipped_steps": saved["skipped_steps"],
    }


class _Entry(Mapping[str, Any]):
    """One parameter's state in the file."""

    def __init__(
        self, saved: Content, memory: tuple[str, ...], prefix: str, file: Container
    ) -> None:
        numbers = values.decode(saved.get(MEMORY, {}), "a memory")
        if not isinstance(numbers, dict) or not numbers.keys() <= set(memory):
            raise ValueError(
                f"the memory of parameter {saved['key']!r} must be an object of the numbers "
                f"{[*memory]}, found {numbers!r:.80}"
            )
        self._numbers = {"step": saved["step"], **numbers}
        self._names = {n: tensor_name(prefix, saved["key"], n) for n in saved["arrays"]}
        self._file = file

    def __getitem__(self, name: str) -> Any:
        if name in self._numbers:
            return self._numbers[name]
        return Unread(self._file, self._names[name])

    def __iter__(self) -> Iterator[str]:
        return iter([*self._numbers, *self._names])

    def __len__(self) -> int:
        return len(self._numbers) + len(self._names)


def _wrappers(optimizer: str | None) -> str:
    """Return how the names of the arrays of wrappers begin."""
    return tensor_name("wrappers", *([] if optimizer is None else [optimizer]), "")


def _state(optimizer: str | None) -> str:
    return "state" if optimizer is None else f"state/{optimizer}"
