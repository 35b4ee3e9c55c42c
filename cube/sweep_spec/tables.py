"""The tables of a sweep's TOML as records: what each may say, validated, with names of files made whole."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from roofcube.datasets.forms.table_forms import TABLE_SUFFIXES
from roofcube.datasets.quantities import QUANTITIES, number_of
from roofcube.disk import path_of, text_of
from roofcube.errors import InvalidDataError, suggestion
from roofcube.files.toml import parsed_toml
from roofcube.model.assumptions import PUBLISHED
from roofcube.sweep_spec.formulas import formula_of
from roofcube.wording import in_percent, read_quantity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Custom",
    "Hardware",
    "Inputs",
    "NetworkFile",
    "Reduce",
    "Span",
    "Steps",
    "SweepSpec",
    "Term",
    "Values",
    "read_sweep_spec",
]

PLATFORM_FILES = (".toml", *TABLE_SUFFIXES)
NETWORK_FILES = (".onnx", ".json", *TABLE_SUFFIXES)
# kind of question → what it needs, and what it also takes, beside `where`
TAKES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "pareto": (frozenset({"objectives"}), frozenset({"per", "ties", "epsilon"})),
    "best": (frozenset({"objective"}), frozenset({"per", "sense"})),
    "top": (frozenset({"objective", "n"}), frozenset({"per", "sense"})),
    "count": (frozenset(), frozenset({"per", "by"})),
    "histogram": (frozenset({"variable"}), frozenset({"per", "bins"})),
    "quantile": (frozenset({"variable", "q"}), frozenset({"per"})),
    "crossover": (frozenset({"objective"}), frozenset({"per", "sense", "between", "along"})),
}


BY_NAME = ("where", "variables")  # tables whose keys are names of the user's


def _holds_truth(value: Any, *, deep: bool = False) -> bool:
    """Check whether a value is true or false, or a list or table by name that holds one."""
    if isinstance(value, list) or (deep and isinstance(value, dict)):
        return any(_holds_truth(one) for one in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, bool)


class SpecTable(BaseModel):
    """A table of the file; an unknown key is an error, whose message has the example of a table within another."""

    EXAMPLE: ClassVar[str] = ""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truths(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and false, which would be read as 1 and 0."""
        if _holds_truth(value, deep=info.field_name in BY_NAME):
            msg = "expected no true or false"
            raise ValueError(msg)
        return value


class Steps(SpecTable):
    """Evenly spaced numbers: ``{ start = 1e11, stop = 1e14, steps = 100, spacing = "log" }``."""

    EXAMPLE = '{ start = 1, stop = 256, steps = 9, spacing = "log" }'
    start: FiniteFloat
    stop: FiniteFloat
    steps: Annotated[int, Field(ge=1, le=100_000_000)]  # the labels of an axis are held, a gigabyte of them
    spacing: Literal["log", "linear"] = "linear"

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.spacing == "log" and not (self.start > 0 and self.stop > 0):
            msg = "start and stop must be above 0 where spacing is 'log'"
            raise ValueError(msg)
        return self

    def values(self) -> np.ndarray[Any, Any]:
        """Return the numbers."""
        between = np.geomspace if self.spacing == "log" else np.linspace
        return between(self.start, self.stop, self.steps)


class Span(SpecTable):
    """Low and high of a limit, both inclusive: ``{ max = 0.01 }`` in SI, or with its unit, ``{ max = "10ms" }``."""

    EXAMPLE = '{ max = "10ms" }'
    min: float | str | None = None
    max: float | str | None = None

    def read(self, name: str, unit: str) -> tuple[float | None, float | None]:
        """Return both ends in SI, given the unit of the variable."""
        low, high = _limit_value(self.min, unit, f"where.{name}.min"), _limit_value(self.max, unit, f"where.{name}.max")
        if low is not None and high is not None and low > high:
            got = f"{{ min = {_toml_of(self.min)}, max = {_toml_of(self.max)} }}"
            msg = f"`where.{name}`: expected min at most max, got {got}; swap them, or leave one out"
            raise InvalidDataError(msg)
        return low, high


def _limit_value(value: float | str | None, unit: str, what: str) -> float | None:
    if value is None:
        return None
    if value != value:
        msg = f"`{what}`: expected a number, got nan, which nothing meets; leave it out where there is no such end"
        raise InvalidDataError(msg)
    plain = "" if unit == "1" else unit
    return read_quantity(value, plain, what=what) if isinstance(value, str) else in_percent(value, plain, what=what)


def _toml_of(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


Axis = float | str | list[float | str] | Steps
Labels = str | list[str]
Sense = Literal["max", "min"]


class NetworkFile(SpecTable):
    """A network in a file, with the arguments of `roofcube.read_network`."""

    EXAMPLE = '{ file = "mine.onnx", task = "mine" }'
    file: str
    name: str | None = None
    task: str | None = None
    sizes: dict[str, Any] | None = None
    batch: int | None = None
    pruning: float | None = None
    phase: Labels | None = None
    context: int | list[int] | None = None
    top1: float | dict[str, float] | None = None
    top5: float | dict[str, float] | None = None

    @field_validator("file")
    @classmethod
    def _found(cls, name: str, info: ValidationInfo) -> str:
        return _from_its_folder(name, info, NETWORK_FILES)


def _from_its_folder(name: str, info: ValidationInfo, suffixes: tuple[str, ...]) -> str:
    """Take a name that ends as a file does from the folder of the spec; labels stay as they are."""
    if not name.lower().endswith(suffixes):
        return name
    return str(Path((info.context or {}).get("folder", "")) / name)


class Inputs(SpecTable):
    """`[inputs]`: the arguments of `roofcube.inputs`; platforms and topologies may be files, beside the spec."""

    task: str | None = None
    platforms: Labels | None = None
    topologies: str | list[str | NetworkFile] | None = None
    precision: Labels | None = None
    pruning: float | list[float] | None = None
    batch: int | list[int] | Steps | None = None
    mode: Labels | None = None
    counts: Literal["exact", "site"] = "exact"

    @field_validator("platforms", "topologies")
    @classmethod
    def _files(cls, given: Any, info: ValidationInfo) -> Any:
        suffixes = PLATFORM_FILES if info.field_name == "platforms" else NETWORK_FILES
        listed = [given] if isinstance(given, str) else given
        return listed and [_from_its_folder(one, info, suffixes) if isinstance(one, str) else one for one in listed]


class Hardware(SpecTable):
    """`[hypothetical]`: the arguments of `roofcube.hypothetical`; each list or range becomes an axis."""

    peak_compute: Axis
    memory_bandwidth: Axis
    memory_capacity: Axis | None = None
    on_chip_memory: Axis | None = None
    power: Axis | None = None
    peak_scaling: Literal["bits"] | None = None
    name: str = "hypothetical"
    device_class: str = "hypothetical"

    @field_validator(*QUANTITIES, mode="before")
    @classmethod
    def _ends(cls, value: Any, info: ValidationInfo) -> Any:
        """Read the ends of a range, which may carry their unit: 1 TOP/s, 25 GB/s."""
        if not isinstance(value, dict):
            return value
        name = str(info.field_name)
        return value | {end: number_of(name, value[end], where=end) for end in ("start", "stop") if end in value}


class Values(SpecTable):
    """A variable of your own along a dim: one of your own, one of the model, or labels along that (`device_class`)."""

    EXAMPLE = '{ dim = "precision", values = [1, 2] }'
    values: list[float] | Steps
    dim: str
    labels: list[str] | list[float] | None = None
    units: str = "1"


class Term(SpecTable):
    """An output of your own, as in `roofcube.Assumptions.with_term`: ``formula = "predicted_energy * price"``."""

    EXAMPLE = '{ formula = "2 * predicted_energy", units = "J" }'
    formula: str
    units: str = "1"
    long_name: str = ""
    sense: Sense | None = None

    @field_validator("formula")
    @classmethod
    def _readable(cls, formula: str) -> str:
        formula_of(formula)
        return formula


class Custom(SpecTable):
    """Assumptions of your own, as in `roofcube.Assumptions`."""

    weights: str = PUBLISHED.weights
    activations: str = PUBLISHED.activations
    state: str = PUBLISHED.state
    layers: str = PUBLISHED.layers


class Reduce(SpecTable):
    """`[reduce]`: a question, with the arguments of the `roofcube` function of that name."""

    kind: Literal["pareto", "best", "top", "count", "histogram", "quantile", "crossover"]
    objectives: dict[str, Sense] | list[str] | None = None
    objective: str | None = None
    variable: str | None = None
    n: Annotated[int, Field(ge=1)] | None = None
    q: float | list[float] | None = None
    bins: Annotated[int, Field(ge=1)] | list[float] | None = None
    by: str | None = None
    between: str | None = None
    along: str | None = None
    sense: Sense | None = None
    where: dict[str, Span | list[str | float] | str | float] | None = None
    per: Labels | None = None
    ties: Literal["all", "first"] | None = None
    epsilon: float | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed, optional = TAKES[self.kind]
        given = self.model_fields_set - {"kind", "where"}
        if needed - given:
            msg = f"kind = {self.kind!r} needs {', '.join(sorted(needed - given))}"
            raise ValueError(msg)
        if given - needed - optional:
            msg = f"kind = {self.kind!r} takes no {', '.join(sorted(given - needed - optional))}"
            raise ValueError(msg)
        return self

    @property
    def asked(self) -> tuple[str, ...]:
        """Variables that the question is about."""
        if self.objectives is not None:
            return tuple(self.objectives)
        name = self.variable if self.kind in ("histogram", "quantile") else self.objective
        return () if name is None else (name,)

    def limits(self, units: Mapping[str, str], kinds: Mapping[str, str]) -> dict[str, Any]:
        """Return the limits as `where` takes them.

        Parameters
        ----------
        units : mapping
            Units of variables and coordinates.
        kinds : mapping
            Which of those that are limited are ``"text"``, and which ``"range"``: numbers that only a range limits.

        Raises
        ------
        InvalidDataError
            If an end has the unit of something else, or is a fraction of a percentage; if there is a range where labels
            are wanted, or none where one is; if its ends are the wrong way round.
        """
        # a name that is not known is told by the question
        return {
            name: _limit_of(name, one, units[name], kinds.get(name, "")) if name in units else one
            for name, one in (self.where or {}).items()
        }


def _limit_of(name: str, given: Any, unit: str, kind: str) -> Any:
    if isinstance(given, Span):
        if kind == "text":
            msg = f"`where.{name}`: expected labels, got a range; write one label, or a list of them"
            raise InvalidDataError(msg)
        return given.read(name, unit)
    if kind == "range":
        listed = given if isinstance(given, list) else [given]
        written = [_toml_of(one) for one in listed]
        got = written[0] if len(listed) == 1 else f"[{', '.join(written)}]"
        msg = f"`where.{name}`: expected a range, got {got}; write {_range_text(name, listed, unit)}"
        raise InvalidDataError(msg)
    return given


def _range_text(name: str, listed: Sequence[float | str], unit: str) -> str:
    """Write what range was meant by numbers: between two, else on one side of one."""
    ends = [_toml_of(one) for one in sorted(listed, key=lambda one: _limit_value(one, unit, f"where.{name}") or 0.0)]
    if len(ends) == 2:
        return f"{{ min = {ends[0]}, max = {ends[1]} }}"
    return f"{{ max = {ends[-1]} }}, or {{ min = {ends[0]} }}" if ends else Span.EXAMPLE


class SweepSpec(SpecTable):
    """A sweep: inputs, hardware, assumptions, and what to keep of the result.

    Parameters
    ----------
    inputs : Inputs
    hypothetical : Hardware, optional
        In place of `inputs.platforms`, or beside them under a name of its own.
    platform : list of tables
        ``[[platform]]``, as `roofcube.read_platforms` takes them.
    network : list of tables
        ``[[network]]``, networks known by their totals, as `roofcube.read_network` takes them.
    variables : table
        Inputs of your own: a number, or values along a dim.
    terms : table of Term
        Outputs of your own, by name.
    assumptions : {"published", "bound", "serving"} or Custom, optional
        Default: "serving" where a network has phases, as a ``config.json`` does, else "published".
    dtype : {"f4", "f8"}
    reduce : Reduce, optional
        Without it the whole cube is written.

    Examples
    --------
    >>> from roofcube.sweep_spec import SweepSpec
    >>> spec = SweepSpec.model_validate({"reduce": {"kind": "best", "objective": "predicted_latency"}})
    >>> spec.reduce.kind
    'best'
    """

    inputs: Inputs = Inputs()
    hypothetical: Hardware | None = None
    platform: list[dict[str, Any]] = []
    network: list[dict[str, Any]] = []
    variables: dict[str, float | Values] = {}
    terms: dict[str, Term] = {}
    assumptions: Literal["published", "bound", "serving"] | Custom | None = None
    dtype: Literal["f4", "f8"] = "f4"
    reduce: Reduce | None = None

    @model_validator(mode="after")
    def _hardware_is_named(self) -> Self:
        nameless = self.hypothetical is not None and "name" not in self.hypothetical.model_fields_set
        if nameless and (self.inputs.platforms is not None or self.platform):
            msg = "give [hypothetical] or inputs.platforms, not both; or [hypothetical] a name, to stand beside them"
            raise ValueError(msg)
        return self


def read_sweep_spec(path: str | Path) -> SweepSpec:
    """Read and validate the TOML of a sweep.

    Raises
    ------
    InvalidDataError
        If the file is not TOML or says something that a sweep does not know; names the file, the key and the value.
    """
    source = path_of(path)
    try:
        content = parsed_toml(text_of(path))
    except (ValueError, RecursionError) as error:  # tomllib raises both, of numbers and of brackets without end
        msg = f"{source}: not TOML ({error}); see `roofcube sweep --help` for an example"
        raise InvalidDataError(msg) from error
    try:
        return SweepSpec.model_validate(content, context={"folder": source.absolute().parent})
    except ValidationError as error:
        raise InvalidDataError(f"{source}, " + _first_problem(error, content)) from error


def _first_problem(error: ValidationError, content: dict[str, Any]) -> str:
    problems = error.errors()
    # a union of types reports each member's complaint: the one that looked deepest is the one that was meant
    problem = max(problems, key=lambda one: (one["type"] in ("extra_forbidden", "value_error"), len(one["loc"])))
    key = _key_of(problem, content)
    if problem["type"] == "extra_forbidden":
        return f"`{key}`: not a key of a sweep{_right_key(problem)}; see `roofcube sweep --help`"
    beside = [one for one in problems if one["loc"][:-1] == problem["loc"][:-1] or one is problem]
    tables = [one["ctx"]["class_name"] for one in beside if one["type"] == "model_type"]
    examples = [_part_of((name,)).EXAMPLE for name in tables if _part_of((name,)).EXAMPLE]
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if problem["type"] == "model_type" and examples:
        message = f"expected a table, as {examples[0]}"
    elif examples:
        message += f", or a table, as {' or '.join(examples)}"
    # what a whole table lacks is not what it holds
    whole = problem["type"] in ("value_error", "missing") and isinstance(problem["input"], dict)
    got = "" if whole else f", got {problem['input']!r}"
    return f"`{key}`: {message}{got}; see `roofcube sweep --help`"


def _key_of(problem: Any, content: Any) -> str:
    """Return the key of the file: a union of types adds its members' names to the path."""
    path: list[str] = []
    for part in problem["loc"]:
        inside = isinstance(content, dict) and part in content
        if inside or (isinstance(content, list) and isinstance(part, int)):
            path.append(str(part))
            content = content[part]
    if problem["type"] == "missing" or not path:
        path += map(str, problem["loc"][-1:])
    return ".".join(path) or "the whole file"


def _right_key(problem: Any) -> str:
    """Tell what a key that is not known may be: one of its own table, or of another where that stands by itself."""
    *path, key = problem["loc"]
    part = _part_of(path)
    known = sorted(part.model_fields)
    if part.EXAMPLE:
        near = suggestion(key, known)
        return near or f"; expected {', '.join(known)}, as in {part.EXAMPLE}"
    home = next((name for name, table in SECTIONS.items() if key in table.model_fields and table is not part), "")
    return f"; it belongs in [{home}]" if home else suggestion(key, known)


SECTIONS: dict[str, type[SpecTable]] = {"inputs": Inputs, "hypothetical": Hardware, "reduce": Reduce}


def _part_of(path: Sequence[Any]) -> type[SpecTable]:
    """Return the table at a path of keys, which ends in its name where another kind of value may stand there."""
    here = str(path[-1]) if path else ""
    parts: list[type[SpecTable]] = [Custom, Steps, Span, Term, Values, NetworkFile]
    named = next((part for part in parts if re.search(rf"\b{part.__name__}\b", here)), None)
    return named or SECTIONS.get(here) or (Term if path and path[0] == "terms" else SweepSpec)
