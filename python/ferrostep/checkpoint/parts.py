"""What a part of a checkpoint does: it is saved, has tensors, is compared, and is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from ferrostep.checkpoint.checks import Content
from ferrostep.checkpoint.container import Array, Container
from ferrostep.loading import Loading


class Part(Protocol):
    """The modules of the parts are written to this."""

    def save(self, given: Any, arrays: dict[str, Array], /) -> Content:
        """Return what is saved of `given` as JSON, and put its arrays beside it."""

    def tensors(self, content: Content, /) -> Iterator[str]:
        """Check the content's layout; give the names of its arrays."""

    def differences(self, given: Any, content: Content, file: Container, /) -> Iterator[str]:
        """Say all that does not fit what to load into, without reading an array."""

    def plan(self, given: Any, content: Content, file: Container, loading: Loading, /) -> None:
        """Read what fits, and leave the rest to `loading`."""
