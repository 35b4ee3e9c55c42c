"""What a model assumes: where weights, activations and state live, how often they are read, and own terms."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from roofcube.errors import InvalidDataError, check_choice, check_kind

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

    from roofcube.kernels.graph.expression import Node
    from roofcube.vocabulary import Sense

__all__ = [
    "BOUND",
    "PUBLISHED",
    "SERVING",
    "Assumptions",
    "Layers",
    "Storage",
    "Term",
    "check_assumptions",
    "named_assumptions",
]

Storage = Literal["memory per input", "memory per batch", "on chip", "on chip if it fits", "free"]
Layers = Literal["whole network", "per layer"]


@dataclass(frozen=True)
class Term:
    """A user's own output: a name, the formula on nodes, and how to label it."""

    name: str
    formula: Callable[[Any], Node]
    units: str = "1"
    long_name: str = ""
    sense: Sense | None = None


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """Where each thing is stored and how often it is read.

    Parameters
    ----------
    weights, activations, state : str
        ``"memory per input"`` (read for every input), ``"memory per batch"`` (once per batch), ``"on chip"`` (never
        read from memory), ``"on chip if it fits"`` (never where it fits into `on_chip_memory`, else weights once per
        batch, activations and state per input) or ``"free"`` (not counted at all).
    layers : {"whole network", "per layer"}
        ``"whole network"`` takes the plain totals; bytes follow the precision of the network. ``"per layer"`` sums over
        layers and uses what is known of the platform: cores, channel tiles, and bytes of the precision really executed.
    name : str
        Label along the dim `assumptions` when several are predicted at once.
    terms : tuple of Term
        Outputs of your own, which `with_term` adds.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.PUBLISHED.weights
    'memory per input'
    >>> dearer = rc.PUBLISHED.with_term("cost_per_input", lambda model: model.price / model.predicted_throughput)
    >>> dearer.terms[0].name
    'cost_per_input'
    """

    weights: Storage = "memory per input"
    activations: Storage = "free"
    state: Storage = "free"
    layers: Layers = "whole network"
    name: str = field(default="", compare=False)
    terms: tuple[Term, ...] = ()

    def __post_init__(self) -> None:
        for what in ("weights", "activations", "state"):
            check_choice(what, getattr(self, what), get_args(Storage))
        check_choice("layers", self.layers, get_args(Layers))

    @property
    def label(self) -> str:
        """The name, or a description where none was given."""
        return self.name or self.description

    @property
    def description(self) -> str:
        """What is stored where, but for own terms, which say themselves what they are."""
        return f"weights {self.weights}, activations {self.activations}, state {self.state}, {self.layers}"

    def with_term(
        self,
        name: str,
        formula: Callable[[Any], Node],
        *,
        units: str = "1",
        long_name: str = "",
        sense: Sense | None = None,
    ) -> Assumptions:
        """Add an output of your own to the expression graph, or replace one.

        Parameters
        ----------
        name : str
            Name of the output. That of an existing output replaces it, and what derives from it moves: throughput,
            latency and energy with each other, and own terms built from them. Names of dims, coordinates and inputs,
            `memory_required`, `bound` and `infeasible` are refused by `predict` and `Sweep`.
        formula : callable
            Takes the model as built so far: its attributes are the nodes of all inputs (``model.price``, or
            ``model["price of a kg"]``), results (``model.predicted_throughput``) and numeric labels (``model.batch``,
            ``model.pruning``); gives a node made with ``+ - * / // % **``, `abs`, comparisons (``a.equals(b)`` for
            ``==``), ``& | ~`` on conditions, `roofcube.exp`, `log`, `log2`, `sqrt`, `ceil`, `floor`, `minimum`,
            `maximum` and `where`, or, but for `where`, the NumPy functions of these names.
        units, long_name : str
            Labels of the result.
        sense : {"max", "min"}, optional
            Which way is better.

        Returns
        -------
        Assumptions
            A new object; this one is unchanged.

        Raises
        ------
        InvalidDataError
            If the name or the unit is no text, the formula cannot be called, or there is no such sense.

        Examples
        --------
        >>> import roofcube as rc
        >>> model = rc.BOUND.with_term(
        ...     "dollars", lambda m: m.predicted_energy / 3.6e6 * m.dollars_per_kwh, units="USD", sense="min"
        ... )
        >>> inputs = rc.inputs("mnist").assign(dollars_per_kwh=0.2)
        >>> str(rc.best(rc.predict(inputs, assumptions=model), "dollars").platform.values)
        'EdgeTPU'
        """
        check_kind("name", name, str, do="name the output after what it holds")
        given: object = formula
        if not callable(given):
            msg = (
                f"`{name}`: expected a formula that takes the model, got {formula!r:.40}; give e.g. lambda m: m.ops * 2"
            )
            raise InvalidDataError(msg)
        check_kind("units", units, str, do="name the unit, such as USD; 1 for none")
        if sense is not None:
            check_choice("sense", sense, ("max", "min"))
        return replace(
            self, terms=(*self.terms, Term(name, formula, units, long_name or name.replace("_", " "), sense))
        )


def check_assumptions(assumptions: object) -> None:
    """Raise unless it is something to model with."""
    offers = ("tables", "label", "description")  # as a calibration does
    if not isinstance(assumptions, Assumptions) and not all(hasattr(assumptions, name) for name in offers):
        msg = (
            f"`assumptions`: expected roofcube.PUBLISHED, roofcube.BOUND, your own `Assumptions` or a calibration, "
            f"got {assumptions!r:.60} of type {type(assumptions).__name__}"
        )
        raise InvalidDataError(msg)


PUBLISHED = Assumptions(name="published")
BOUND = Assumptions(
    weights="on chip if it fits",
    activations="memory per input",
    state="memory per input",
    layers="per layer",
    name="bound",
)
# of generation: a batch of sequences reads the weights once, each sequence its own key-value cache
SERVING = Assumptions(weights="memory per batch", activations="free", state="memory per input", name="serving")


def named_assumptions(name: str | None, inputs: xr.Dataset) -> Assumptions:
    """Return assumptions by name; where none is given those of serving for networks with phases, else as published."""
    generates = {"phase", "tokens"} <= set(inputs.variables)
    named = {one.name: one for one in (PUBLISHED, BOUND, SERVING)}
    return named[name or ("serving" if generates else "published")]
