"""What is saved and loaded: as a state dict, or with its parameters in a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from ferrostep.options import flag
from ferrostep.partial import LoadReport

if TYPE_CHECKING:
    from ferrostep.checkpoint.needs import Checkpointed


class Storable:
    """How an optimizer is loaded and saved, whatever its state is made of."""

    @overload
    def load_state_dict(
        self: Checkpointed, state_dict: Mapping[str, Any], strict: Literal[True] = True
    ) -> None: ...
    @overload
    def load_state_dict(
        self: Checkpointed, state_dict: Mapping[str, Any], strict: Literal[False]
    ) -> LoadReport: ...
    def load_state_dict(
        self: Checkpointed, state_dict: Mapping[str, Any], strict: bool = True
    ) -> LoadReport | None:
        """Take over state and options from `state_dict`, ours or torch's: all of it or nothing.

        The arrays are copied. An unbound optimizer takes the options at once, and the state with
        the parameters of its next `update`.

        Parameters
        ----------
        state_dict
            What `state_dict` returned.
        strict
            True (the default): everything must fit. False: what fits by name (by position, where
            there or here are no names) is taken over, in whatever order; other parameters keep
            their state. For a model with a new head, or a part of one. Options are taken over where
            there are as many groups.

        Returns
        -------
        LoadReport or None
            With ``strict=False``: the names that were `loaded`, those that were `missing` in
            `state_dict`, those that were `unexpected` there, and those of another `shape`.

        Raises
        ------
        ValueError, TypeError
            If groups, names, shapes, dtypes, steps or options do not fit; nothing has changed then.

        Examples
        --------
        >>> import numpy as np, ferrostep as fs
        >>> old = fs.Momentum({"body": np.zeros(2), "head": np.zeros(3)})
        >>> info = old.step({"body": np.ones(2), "head": np.ones(3)})
        >>> new = fs.Momentum({"head": np.zeros(5), "body": np.zeros(2)})
        >>> new.load_state_dict(old.state_dict(), strict=False)
        LoadReport(loaded=('body',), missing=(), unexpected=(), shape=('head',))
        """
        if flag("strict", strict):
            self._plan_load(state_dict)()
            return None
        fitted, report = self._fit(state_dict, None)
        self._plan_load(fitted)()
        return report

    def save(self: Checkpointed, path: str | os.PathLike[str]) -> None:
        """Save state, options and the parameters that this optimizer holds, all in one file.

        The file at `path` is replaced as a whole, or stays as it was; do not step meanwhile. An
        unbound optimizer does not hold its parameters: give them to `save_checkpoint`.

        Examples
        --------
        >>> import os, tempfile, numpy as np, ferrostep as fs
        >>> path = os.path.join(tempfile.mkdtemp(), "run.safetensors")
        >>> fs.Adam({"p": np.array([1.0, -2.0])}, lr=0.1).save(path)
        >>> q = np.zeros(2)
        >>> fs.Adam({"p": q}).load(path)
        >>> q
        array([ 1., -2.])
        """
        from ferrostep import checkpoint

        checkpoint.save(path, self)

    @overload
    def load(
        self: Checkpointed, path: str | os.PathLike[str], strict: Literal[True] = True
    ) -> None: ...
    @overload
    def load(
        self: Checkpointed, path: str | os.PathLike[str], strict: Literal[False]
    ) -> LoadReport: ...
    def load(
        self: Checkpointed, path: str | os.PathLike[str], strict: bool = True
    ) -> LoadReport | None:
        """Take over what `save` has saved: all of it, or nothing.

        Parameters
        ----------
        path
            The file.
        strict
            As in `load_state_dict`; with False a parameter is `loaded` with its values, if those
            and its state fit.

        Raises
        ------
        ValueError, OSError
            If the file is damaged, no checkpoint, does not fit, or cannot be read.
        """
        from ferrostep import checkpoint

        if flag("strict", strict):
            checkpoint.load(path, self)
            return None
        return checkpoint.load_partly(path, self)
