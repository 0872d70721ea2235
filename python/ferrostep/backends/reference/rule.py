"""What a rule is: from arrays, options and the number of the step to new arrays."""

from collections.abc import Callable, Mapping, Set
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
States = dict[str, Any]  # arrays; floats where a rule remembers numbers
Rows = tuple[Array, Array]  # indices of rows, and as many rows of values
Options = Mapping[str, Any]
Rule = Callable[[Array, Array, States, Options, int, Set[str]], tuple[Array, States]]
