"""Write Bokeh models as JSON without asking for the values that nobody set.

Bokeh's own way computes the value of every property of a model, checked anew, and then leaves out those that are at
their default: of 1,700 models with 60 properties each that took 3.6 of 20 s of CPU of a page. What is written is the
same to the letter, which a test holds.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bokeh.model import Model

__all__ = ["writer_of_models"]

HELD = ("_property_values", "_unstable_default_values")


def writer_of_models(held: tuple[str, ...] = HELD) -> Any:
    """Return a serializer of Bokeh that remembers in `models` what it wrote; `held`: where these keep their values."""
    return _writer_class()(held)


@cache
def _writer_class() -> Any:
    """Make the class when a page is written: it extends one of Bokeh, which loads with the first figure."""
    from bokeh.core.serialization import Serializer
    from bokeh.model import Model

    class Writer(Serializer):  # type: ignore[misc]
        """A serializer that reads of each model the properties that are set."""

        def __init__(self, held: tuple[str, ...]) -> None:
            super().__init__(deferred=False)
            self.held = held
            self.models: list[Model] = []

        def encode(self, obj: Any) -> Any:
            if not isinstance(obj, Model) or self.has_ref(obj):
                return super().encode(obj)
            self.models.append(obj)
            names = _set_properties(obj, self.held)
            # a model that is written in a way of its own, and a Bokeh that keeps its values elsewhere
            if names is None or type(obj).to_serializable is not Model.to_serializable:
                return super().encode(obj)
            self.add_ref(obj, obj.ref)
            values = obj.query_properties_with_values(
                lambda prop: prop.name in names and prop.serialized, include_defaults=False
            )
            written = {"type": "object", "name": type(obj).__qualified_model__, "id": obj.id}
            attributes = {name: self.encode(value) for name, value in values.items()}
            return {**written, "attributes": attributes} if attributes else written

    return Writer


def _set_properties(model: Model, held: tuple[str, ...]) -> set[str] | None:
    """Return the properties of a model that may differ from their defaults; None where Bokeh does not tell.

    The two dictionaries are private to Bokeh, which offers no other way to ask what was set without computing it.
    """
    values = [getattr(model, name, None) for name in held]
    if not all(isinstance(one, dict) for one in values):
        return None
    return {*(name for one in values for name in one), *(model.themed_values() or ())}  # type: ignore[union-attr]
