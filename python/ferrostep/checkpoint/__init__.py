"""Checkpoints: one safetensors file that holds a run, written whole or not at all.

The format is described in ``docs/checkpoints.md``. What each part of it is lies in ``parts``, what
the metadata says in ``content``; the file and its validation in ``container``; replacing the old
one in ``atomic``; a file without a run to load it into in ``inspected``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ferrostep._native import __version__
from ferrostep.checkpoint import arrays as _params
from ferrostep.checkpoint import container, optimizers, values
from ferrostep.checkpoint.content import KEY, PARTS, VERSION, read
from ferrostep.checkpoint.paths import open_regular, read_path
from ferrostep.differences import refuse
from ferrostep.loading import Loading

if TYPE_CHECKING:
    from ferrostep.checkpoint.needs import Checkpointed
    from ferrostep.partial import LoadReport

__all__ = ["load_checkpoint", "save_checkpoint"]


def save_checkpoint(
    path: str | os.PathLike[str],
    *,
    optimizer: Any = None,
    params: Any = None,
    schedulers: Any = None,
    averages: Any = None,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Save a run in one safetensors file; the file at `path` is replaced whole or stays as it was.

    Nothing that is saved may be stepped meanwhile. Arrays that are not in C order and native byte
    order are copied first.

    Parameters
    ----------
    path
        Where to; ``.safetensors`` is the usual ending. A symbolic link stays one.
    optimizer
        An optimizer, or a dict of them by name (without ``/``).
    params
        Arrays to save beside: an array, a list, or a dict of names.
    schedulers
        A scheduler, a list or a dict of them: what has `state_dict` and `load_state_dict`.
    averages
        An average of weights (`ferrostep.averages`), or a dict of them by name (without ``/``).
    extra
        A dict of whatever else is needed to go on (the epoch, a generator's state): numbers,
        strings, None, lists, tuples, dicts (at most 100 deep), arrays. NumPy's scalars become
        Python's.

    Raises
    ------
    OSError
        If the file cannot be written; a full disk is one.
    TypeError, ValueError
        If something is given that a checkpoint cannot hold, or that could not be loaded again (as
        parameters that share memory); or if `path` is no path.

    Examples
    --------
    >>> import os, tempfile, numpy as np, ferrostep as fs
    >>> path = os.path.join(tempfile.mkdtemp(), "run.safetensors")
    >>> params = {"W": np.ones((2, 3)), "b": np.zeros(3)}
    >>> opt = fs.Adam(params)
    >>> schedule = fs.schedulers.StepLR(opt, step_size=10)
    >>> rng = np.random.default_rng(0)
    >>> fs.save_checkpoint(path, optimizer=opt, params=params, schedulers=schedule,
    ...                    extra={"epoch": 7, "rng": rng.bit_generator.state})
    >>> extra = fs.load_checkpoint(path, optimizer=opt, params=params, schedulers=schedule)
    >>> extra["epoch"]
    7
    >>> rng.bit_generator.state = extra["rng"]
    """
    path = read_path(path)
    if extra is not None and not isinstance(extra, dict):
        raise TypeError(f"extra must be a dict, found {type(extra).__name__}")
    arrays: dict[str, container.Array] = {}

    def store(array: container.Array) -> str:
        name = f"extra/{len(arrays)}"
        arrays[name] = container.storable(array, "an array in extra")
        return name

    content: dict[str, Any] = {
        "version": VERSION,
        "ferrostep": __version__,
        "extra": values.encode(extra or {}, "extra", store),
    }
    given = _by_part(optimizer, params, schedulers, averages)
    for name, part in PARTS.items():
        content[name] = None if given[name] is None else part.save(given[name], arrays)
    container.write(path, arrays, {KEY: json.dumps(content)})


def load_checkpoint(
    path: str | os.PathLike[str],
    *,
    optimizer: Any = None,
    params: Any = None,
    schedulers: Any = None,
    averages: Any = None,
    partial: bool = False,
) -> dict[str, Any]:
    """Take over what `save_checkpoint` has saved, all of it or nothing, and return its `extra`.

    Everything is checked before anything is touched, the arrays in `params` included, which are
    then written in place.

    Parameters
    ----------
    path
        A file that `save_checkpoint` or `Optimizer.save` has written.
    optimizer, params, schedulers, averages
        What to load into, in the structure that was saved, with the same classes, names, shapes
        and dtypes. Options come from the file, but for `nonfinite`, `missing`, `backend` and
        `state_factory`.
    partial
        Leave out what the file has and is not asked for here; without it that is an error.

    Raises
    ------
    ValueError
        If the file is damaged, no checkpoint, or does not fit: all that does not is listed.
        Nothing has changed then.
    OSError
        If it cannot be read.
    TypeError
        If `path` is no path (the number of an open file is none), or a target is no array.

    Examples
    --------
    Parameters alone, of a run that was saved with its optimizer:

    >>> import os, tempfile, numpy as np, ferrostep as fs
    >>> path = os.path.join(tempfile.mkdtemp(), "run.safetensors")
    >>> fs.Adam({"p": np.full(3, 5.0)}).save(path)
    >>> p = np.zeros(3)
    >>> fs.load_checkpoint(path, params={"p": p}, partial=True)
    {}
    >>> p
    array([5., 5., 5.])
    """
    given = _by_part(optimizer, params, schedulers, averages)
    return _load(path, given, partial=partial)


def _by_part(
    optimizer: Any, params: Any, schedulers: Any = None, averages: Any = None
) -> dict[str, Any]:
    parts = (params, optimizer, schedulers, averages)
    return dict(zip(PARTS, parts, strict=True))


def save(path: str | os.PathLike[str], optimizer: Checkpointed) -> None:
    """Save an optimizer and the parameters that it holds."""
    save_checkpoint(path, optimizer=optimizer, params=optimizers.held(optimizer))


def load(path: str | os.PathLike[str], optimizer: Checkpointed) -> None:
    """Load an optimizer and the parameters that it holds."""
    given = _by_part(optimizer, optimizers.held(optimizer))
    _load(path, given, partial=False, alone=True)


def load_partly(path: str | os.PathLike[str], optimizer: Checkpointed) -> LoadReport:
    """Load what fits by name of an optimizer and the parameters that it holds."""
    path = read_path(path)
    with open_regular(path) as file:
        try:
            loading, report = _plan_partly(container.Container(file), optimizer)
            loading.take_over()
        except ValueError as error:
            raise ValueError(f"cannot load {path!r}: {error}") from error
    return report


def _plan_partly(file: container.Container, optimizer: Checkpointed) -> tuple[Loading, LoadReport]:
    content = read(file)
    params = optimizers.held(optimizer)
    given = _by_part(optimizer, params)
    refuse(_parts_that_differ(content, given, partial=False))
    shapes = None if params is None else _params.shapes(content["params"], file)
    fitted, report = optimizers.fit(optimizer, content["optimizers"], shapes, file)
    loading = Loading()
    loading.add(optimizer._plan_load(fitted))
    if params is not None:
        _params.plan_some(params, report.loaded, content["params"], file, loading)
    return loading, report


def _load(
    path: str | os.PathLike[str], given: Mapping[str, Any], *, partial: bool, alone: bool = False
) -> dict[str, Any]:
    """Take over what a file has of what is given. `alone`: there is nobody to return extra to."""
    path = read_path(path)
    with open_regular(path) as file:
        try:
            loading, extra = _plan(container.Container(file), given, partial)
            if alone and extra:
                raise ValueError("the checkpoint also has extra; load_checkpoint returns it")
            loading.take_over()
        except ValueError as error:
            raise ValueError(f"cannot load {path!r}: {error}") from error
        return extra


def _plan(
    file: container.Container, given: Mapping[str, Any], partial: bool
) -> tuple[Loading, dict[str, Any]]:
    """Compare all, then read all, and touch nothing."""
    content = read(file)
    refuse(_differences(file, content, given, partial))
    loading = Loading()
    for name in ("optimizers", "schedulers", "averages", "params"):
        if given[name] is not None:
            PARTS[name].plan(given[name], content[name], file, loading)
    return loading, values.decode(content["extra"], "extra", file.read)


def _differences(
    file: container.Container, content: Mapping[str, Any], given: Mapping[str, Any], partial: bool
) -> Iterator[str]:
    """Say all in which the checkpoint is not what was asked for."""
    yield from _parts_that_differ(content, given, partial)
    for name, part in PARTS.items():
        if given[name] is not None and content[name] is not None:
            yield from part.differences(given[name], content[name], file)


def _parts_that_differ(
    content: Mapping[str, Any], given: Mapping[str, Any], partial: bool
) -> Iterator[str]:
    for name in PARTS:
        if given[name] is None and content[name] is not None and not partial:
            yield (
                f"the checkpoint also has {name}; load them as well with load_checkpoint, or pass "
                "it partial=True to leave them out"
            )
        elif given[name] is not None and content[name] is None:
            yield f"the checkpoint lacks {name}"
