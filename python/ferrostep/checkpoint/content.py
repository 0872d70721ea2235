"""What the metadata of a checkpoint says: its version, its parts, and the tensors they refer to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ferrostep._native import __version__
from ferrostep.checkpoint import arrays, averages, container, optimizers, schedulers, values
from ferrostep.checkpoint.checks import only_keys
from ferrostep.checkpoint.parts import Part
from ferrostep.differences import refuse

#: The one key of the metadata: the library writes several in random order, and the same run is to
#: give the same bytes.
KEY = "ferrostep.checkpoint"
VERSION = 1
PARTS: dict[str, Part] = {
    "params": arrays,
    "optimizers": optimizers,
    "schedulers": schedulers,
    "averages": averages,
}


def read(file: container.Container) -> dict[str, Any]:
    """Return the content of a file; its layout and its tensors are those of a checkpoint."""
    if KEY not in file.metadata:
        raise ValueError(
            "the file must be a checkpoint of ferrostep, found another safetensors file"
        )
    only_keys(file.metadata, {KEY}, "the metadata")
    content = container.parse(file.metadata[KEY], "the content")
    found = content.get("version") if isinstance(content, dict) else None
    if type(found) is not int or found != VERSION:
        raise ValueError(
            f"its format has version {found!r}, wanted {VERSION} for ferrostep {__version__}"
        )
    content = only_keys(content, {"version", "ferrostep", "extra", *PARTS}, "the content")
    refuse(_tensor_differences(file, content))
    return content


def tensors(content: Mapping[str, Any]) -> Iterator[str]:
    """Give the names of the arrays that the content refers to, part by part."""
    for name, part in PARTS.items():
        if content[name] is not None:
            yield from part.tensors(content[name])
    yield from values.references(content["extra"])


def _tensor_differences(file: container.Container, content: Mapping[str, Any]) -> Iterator[str]:
    """Say which tensors the content and the file do not have in common: one for each name."""
    if not isinstance(content["extra"], dict):
        raise ValueError(
            f"the checkpoint's extra must be an object, found {content['extra']!r:.80}"
        )
    wanted = Counter(tensors(content))
    for name in sorted(wanted.keys() - file.tensors.keys()):
        yield f"the file lacks the tensor {name!r}"
    for name in sorted(file.tensors.keys() - wanted.keys()):
        yield f"the file has the tensor {name!r}, which nothing in it refers to"
    yield from (
        f"the tensor {name!r} has {n} uses, wanted one" for name, n in wanted.items() if n > 1
    )
