"""The body of an optimizer class is its signature, and what is said there is said nowhere else.

::

    class Adam(Optimizer):
        lr: Rate = 1e-3
        _: KW_ONLY
        betas: Annotated[tuple[float, float], decay_rates] = (0.9, 0.999)
        amsgrad: bool = False

Each line is a parameter of the constructor with its default, a property with its type, and a check
(a `bool` and a `Literal` have theirs, and what a base class declares keeps it). `_` is the ``*`` of
a signature. Type checkers read it as the body of a dataclass; here it is text until its first use.
"""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

from ferrostep._native import Core
from ferrostep.annotations import annotations_of, is_class_var, is_init_var
from ferrostep.attributes import check_body, refuse_attribute
from ferrostep.option import Option, Setting, reads
from ferrostep.options import read_settings
from ferrostep.schema import REQUIRED, Field, Schema
from ferrostep.settings import NonFiniteError, Settings
from ferrostep.spellings import hint


@dataclass_transform(eq_default=False)
class Declared(Core):
    """What an optimizer has of the body of its class: options, their checks and its rule."""

    RULE: ClassVar[str]
    #: State arrays that a stepped parameter always has, and those that depend on options.
    STATE: ClassVar[tuple[str, ...]] = ()
    OPTIONAL_STATE: ClassVar[tuple[str, ...]] = ()
    #: In place of these, of a parameter of two dimensions or more: a state array of its rows, and
    #: one of its columns.
    FACTORS: ClassVar[tuple[()] | tuple[str, str]] = ()
    #: Numbers that are state like the step count.
    MEMORY: ClassVar[tuple[str, ...]] = ()
    #: Whether gradients are `Rows` and nothing else.
    ROWS_ONLY: ClassVar[bool] = False
    #: Whether the rule is one of whole matrices and takes nothing else.
    MATRICES: ClassVar[bool] = False
    #: Whether its sums are over all parameters: then they come together, and in host memory.
    WHOLE_MODEL: ClassVar[bool] = False

    _groups: list[dict[str, Any]]
    _bound: bool
    _defaults: dict[str, Any]
    _own_schema: ClassVar[Schema]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        known = {name for base in cls.__mro__[1:] for name in _written(base)}
        # Below a class with a rule a new name is no option: no rule would read it.
        opens = "RULE" in vars(cls) or not hasattr(cls, "RULE")
        for name, annotation in annotations_of(cls).items():
            if name not in vars(cls) or is_class_var(annotation, cls):
                continue
            if is_init_var(annotation, cls):  # a parameter, and no attribute
                delattr(cls, name)
            elif (opens or name in known) and not isinstance(vars(cls)[name], Option):
                kind: type[Option[Any]] = Setting if name in Settings._fields else Option
                option = kind(default=vars(cls)[name])
                option.__set_name__(cls, name)
                setattr(cls, name, option)
        check_body(cls, known)

    @classmethod
    def _schema(cls) -> Schema:
        """What this class is, read from the bodies at its first use."""
        if "_own_schema" not in vars(cls):
            cls._own_schema = _read(cls)
        return cls._own_schema

    def _begin(self, settings: Settings, *, bound: bool) -> None:
        """Start the core without parameters and state."""
        self._groups = []
        self._bound = bound
        self._start_core(self, settings)

    def _start_core(self, core: Core, settings: Settings) -> None:
        schema = self._schema()
        core._start(
            schema.rule,
            schema.read,
            schema.bounds(),
            self._groups,
            not self._bound,
            NonFiniteError,
            self.ROWS_ONLY,
            settings,
        )

    @classmethod
    @reads()
    def check(cls, options: dict[str, Any]) -> None:
        """Raise ValueError where options that are valid alone do not go together."""

    def _check_option(self, name: str, value: Any) -> None:
        """Refuse a value that does not go with a group's other options or its parameters."""
        schema = self._schema()
        for group in self._groups if schema.reads(name) else ():
            schema.read({**group, name: value})
        if name == "state_dtype":
            self._check_state_dtype(value)

    def _choose(self, **changed: Any) -> None:
        """Set one of the settings, checked; the others stay."""
        chosen = {**self._settings._asdict(), **changed}
        del chosen["reference"]  # which follows from the backend
        self._set_settings(read_settings(**chosen))

    @property
    def defaults(self) -> dict[str, Any]:
        """What a new group's options are, as the constructor was told."""
        return self._defaults

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups: dicts of options and "params", which may be edited between steps."""
        return self._groups

    if not TYPE_CHECKING:  # for a type checker, what is not declared is an error already

        def __setattr__(self, name, value):
            known = isinstance(getattr(type(self), name, None), Option)
            if not known and not name.startswith("_"):
                refuse_attribute(self, name, self._schema().fields)
            super().__setattr__(name, value)

        def __getattr__(self, name):
            if name == "_groups":
                raise RuntimeError("this optimizer was never made; call super().__init__()")
            known = () if name.startswith("_") else self._schema().fields
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}{hint(name, known)}",
                name=name,
                obj=self,
            )


class ClassSignature:
    """``__signature__`` of the classes that have the constructor of its owner."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner: Any = owner

    def __get__(self, optimizer: object, cls: type[Declared]) -> Signature:
        if cls.__init__ is not self._owner.__init__:
            raise AttributeError("__signature__")  # of its own constructor, which is looked at next
        alone, named = Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY
        parameters = [Parameter("params", alone, default=None, annotation=Any)]
        for name, field in cls._schema().fields.items():
            kind = alone if name == "lr" else named
            parameters.append(Parameter(name, kind, default=field.default, annotation=field.type))
        return Signature(parameters, return_annotation=None)


def _written(cls: type) -> dict[str, Option[Any]]:
    """Return the options in the body of a class."""
    return {name: value for name, value in vars(cls).items() if isinstance(value, Option)}


def _read(cls: type[Declared]) -> Schema:
    own: dict[str, Field] = {}
    common: dict[str, Field] = {}
    for base in reversed(cls.__mro__):
        for name, option in _written(base).items():
            # What stands above all rules is common to all.
            fields = common if name in common or not hasattr(base, "RULE") else own
            fields[name] = option.field(fields.get(name))
    fields = {**own, **common}
    return Schema(
        name=cls.__name__,
        rule=getattr(cls, "RULE", ""),
        fields=fields,
        defaults={name: f.default for name, f in fields.items() if f.default is not REQUIRED},
        checks={name: f.check for name, f in fields.items() if f.check is not None},
        states=cls.STATE,
        optional_states=cls.OPTIONAL_STATE,
        factors=cls.FACTORS,
        whole_model=cls.WHOLE_MODEL,
        memory=cls.MEMORY,
        check=cls.check,
        together=_together(cls),
    )


def _together(cls: type[Declared]) -> frozenset[str] | None:
    """Return the options that `check` looks at, and those of its bases, which it may call."""
    bodies = [vars(base)["check"] for base in cls.__mro__ if "check" in vars(base)]
    told = [getattr(getattr(body, "__func__", body), "reads", None) for body in bodies]
    known = [names for names in told if names is not None]
    return frozenset[str]().union(*known) if len(known) == len(told) else None
