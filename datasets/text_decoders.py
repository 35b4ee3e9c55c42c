"""The decoder of text in the configuration of a model for pictures or sound too, and what of the model it leaves out.

Such a model has a configuration for each part: that of the text under one of `PARTS` (older ones have it on top, beside
the others), and towers for pictures or sound, whose outputs become tokens of the same decoder. Models whose decoder
looks at a picture in another way (cross attention) have a `model_type` of their own there, which no family knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from roofcube.datasets.transformer_families import FIXED, READ, check_fixed
from roofcube.errors import InvalidDataError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TextDecoder", "text_decoder"]

PARTS = ("text_config", "language_config", "llm_config")
# model types whose text stands on top: its family, and the parts beside it
ON_TOP = ("qwen2_vl", "qwen2_5_vl")
OF_THE_WHOLE = ("model_type", "architectures")


class TextDecoder(NamedTuple):
    """The configuration of a decoder, what errors call it, and the parts of the model that it is not."""

    config: Mapping[str, Any]
    source: str
    left_out: tuple[str, ...]


def text_decoder(config: Mapping[str, Any], source: str) -> TextDecoder:
    """Return the part of a configuration that is the decoder of text; all of it where there are no others.

    Raises
    ------
    InvalidDataError
        If the part is none, contradicts the whole, or is joined to the others by more than tokens.

    Examples
    --------
    >>> from roofcube.datasets.text_decoders import text_decoder
    >>> parts = {"text_config": {"model_type": "llama"}, "vision_config": {"model_type": "clip_vision_model"}}
    >>> text_decoder({"model_type": "llava", **parts}, "config.json")[1:]
    ("config.json, key 'text_config'", ('vision_config (clip_vision_model)',))
    """
    if config.get("model_type") in ON_TOP and not any(config.get(name) for name in PARTS):
        parts = {key: value for key, value in config.items() if _is_part(key, value)}
        text = {key: value for key, value in config.items() if key not in parts}
        return TextDecoder(text, source, _part_names(parts))
    place = next((name for name in PARTS if config.get(name) is not None), None)
    if place is None:
        return TextDecoder(config, source, ())
    text = config[place]
    if not hasattr(text, "items") or not text:
        msg = f"{source}, key {place!r}: expected the configuration of the text decoder, got {text!r:.60}; write it in"
        raise InvalidDataError(msg)
    _check_joined_by_tokens(config, source)
    _check_one_model(config, text, place, source)
    parts = {key: value for key, value in config.items() if key != place and _is_part(key, value)}
    said = {key: config[key] for key in ("tie_word_embeddings", "architectures") if config.get(key) is not None}
    decoder = {**said, **{key: value for key, value in text.items() if key not in said or value is not None}}
    return TextDecoder(decoder, f"{source}, key {place!r}", _part_names(parts))


def _is_part(key: Any, value: Any) -> bool:
    """Check whether a key holds the configuration of a part of a model, not how it is stored or made to generate."""
    return (
        str(key).endswith("_config")
        and hasattr(value, "items")
        and not str(key).startswith(("quant", "compress", "gen"))
    )


def _part_names(parts: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{key} ({part['model_type']})" if part.get("model_type") else key for key, part in parts.items())


def _check_joined_by_tokens(config: Mapping[str, Any], source: str) -> None:
    """Raise where the whole says that its decoder looks at other parts by more than tokens."""
    check_fixed({key: config[key] for key in FIXED if key in config}, source)
    crossed = next((key for key, value in config.items() if "cross" in str(key) and value), None)
    if crossed is not None:
        msg = (
            f"{source}, key {crossed!r}: got {config[crossed]!r:.60}, cross attention, which would not be counted; "
            "give the network as ONNX, or as a table of totals"
        )
        raise InvalidDataError(msg)


def _check_one_model(config: Mapping[str, Any], text: Mapping[str, Any], place: str, source: str) -> None:
    """Raise where the whole and its part say different things of the decoder."""
    for key in READ.difference(OF_THE_WHOLE):
        whole, part = config.get(key), text.get(key)
        if whole is not None and part is not None and str(whole) != str(part):
            msg = (
                f"{source}, key {key!r}: got {whole!r:.40}, but {part!r:.40} in {place!r}; leave it out in one, "
                "or correct it"
            )
            raise InvalidDataError(msg)
