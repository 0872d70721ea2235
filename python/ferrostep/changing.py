"""Parameters that change after an optimizer was made: other rows, and groups that go."""

from __future__ import annotations

from contextlib import suppress
from operator import index as as_index
from typing import TYPE_CHECKING, Any

import numpy as np

from ferrostep.backends import cuda
from ferrostep.params import labels, read_parameter
from ferrostep.unbound import Unbound
from ferrostep.watched import without

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Changing(Unbound):
    """An optimizer's parameters, exchanged and removed while their state goes on."""

    def replace(self, name: Any, new_array: Any, index: ArrayLike | None = None) -> None:
        """Go on with an array of more or fewer rows in the place of one parameter.

        For a vocabulary that grows, or for points, units and particles that are pruned, split and
        added. A row is what ``new_array[i]`` is; its state is taken along with it, and a new row's
        begins with the values that it has in a new optimizer. The step count stays, so that new
        rows are as old as the others to Adam's correction of bias, and have had their first
        gradient to SGD's `dampening`. `new_array` is taken as it is: its values are
        yours. Where the parameter came in a list or dict (in a tree, whichever holds it), the new
        array is written there, unless you have done so. An unbound optimizer wants it in its next
        `update`; before `updated` it only says the new shape.

        Parameters
        ----------
        name
            The parameter's name, or its key in `update_one`; its position where there are no names.
        new_array
            An array of the same dtype, place (host or device) and shape, but for the first axis.
        index
            Integers, one for each row of `new_array`: the row of the old parameter whose state it
            gets, or -1 for a new row. A row may be left out, or taken more than once. Default None:
            each row keeps its own state; rows that there were not are new, as if at the end.

        Raises
        ------
        ValueError, TypeError
            If there is no such parameter, `new_array` or `index` does not fit, the array is
            read-only or shares memory with another parameter or state, or your list or dict holds a
            third array. Nothing has changed then, nor after a MemoryError or Ctrl-C.

        Examples
        --------
        >>> import numpy as np, ferrostep as fs
        >>> params = {"points": np.zeros((3, 2))}
        >>> opt = fs.Momentum(params, lr=0.5)
        >>> info = opt.step({"points": np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])})
        >>> keep = np.array([True, False, True])  # prune one, and split the last
        >>> index = [*np.flatnonzero(keep), 2]
        >>> opt.replace("points", params["points"][index], index)
        >>> opt.replace("points", np.concatenate([params["points"], np.ones((1, 2))]))  # a new one
        >>> opt.state["points"]["velocity"]
        array([[-0.5, -0.5],
               [-1.5, -1.5],
               [-1.5, -1.5],
               [ 0. ,  0. ]])
        >>> params["points"].shape
        (4, 2)
        """
        if not self._parameters():
            raise ValueError("this optimizer has no parameters yet; give them to update()")
        i = self._number(name)
        label = labels(self._names and [self._names[i]], i, 1)[0]
        given = None if index is None else _rows(index)
        self._replace(i, new_array, read_parameter(new_array, label), given)

    def _number(self, name: Any) -> int:
        """Return the number of the parameter of this name (or key), or at this position."""
        keys = self._keys()
        if self._names is None:
            if type(name) is not bool and isinstance(name, int | np.integer) and name in keys:
                return int(name)
            raise ValueError(
                f"name must be a parameter's position from 0 to {len(keys) - 1}, as they have no "
                f"names, found {name!r}"
            )
        with suppress(KeyError, TypeError):  # TypeError: it cannot be hashed
            return {key: i for i, key in enumerate(keys)}[name]
        raise ValueError(f"name must be one of {keys!r:.200}, found {name!r}")

    def remove_param_group(self, index: int) -> None:
        """Forget a group, its parameters and their state.

        The parameters after it move down: where they have no names, their positions in gradients
        and in `state` are lower by as many. The lists and dicts that its parameters came in are no
        longer watched. A scheduler that was made before refuses to go on: make a new one, with
        ``last_epoch`` if it is to go on from there.

        Parameters
        ----------
        index
            Its place in `param_groups`; negative from the end, as of a list.

        Raises
        ------
        ValueError
            If there is no such group, it is the last one left, or this optimizer is unbound;
            nothing has changed then.

        Examples
        --------
        >>> import numpy as np, ferrostep as fs
        >>> body, head = {"body": np.zeros(2)}, {"head": np.zeros(2)}
        >>> opt = fs.SGD([{"params": body}, {"params": head, "lr": 0.1}], lr=1.0)
        >>> opt.remove_param_group(0)
        >>> opt.step({"head": np.ones(2)})
        StepInfo(applied=True, grad_norm=None)
        """
        if not self._bound:
            raise ValueError(
                "this optimizer is unbound, and has one group for whatever comes; call reset() to "
                "forget its parameters"
            )
        sizes = self._group_sizes()
        if type(index) is bool or not hasattr(index, "__index__"):
            raise TypeError(f"index must be an integer, found {type(index).__name__}")
        number = as_index(index)
        if not -len(sizes) <= number < len(sizes):
            raise ValueError(
                f"index must be that of one of {len(sizes)} groups, from {-len(sizes)} to "
                f"{len(sizes) - 1}, found {number}"
            )
        if len(sizes) == 1:
            raise ValueError(
                "the last group cannot be removed, since an optimizer has parameters; add another "
                "first, or make a new optimizer"
            )
        number %= len(sizes)
        start = sum(sizes[:number])
        gone = range(start, start + sizes[number])
        self._remove_group(number, without(self._containers(), self._parameters(), gone))


def _rows(index: Any) -> bytes:
    """Return the rows that new ones come from as the core reads them."""
    rows = cuda.to_host(index)
    if rows.ndim != 1:
        raise ValueError(
            f"index must be integers along one axis, found shape {rows.shape}; it has an entry for "
            "each row of the new array"
        )
    if rows.size == 0:
        return b""
    if rows.dtype == bool:
        raise TypeError("index must be integers, found bool; np.flatnonzero(mask) makes them of it")
    if not np.can_cast(rows.dtype, np.int64) or rows.dtype.kind not in "iu":
        raise TypeError(
            f"index must be integers that int64 can hold, found {rows.dtype}; "
            "index.astype(np.int64) makes them of it"
        )
    return rows.astype(np.int64).tobytes()
