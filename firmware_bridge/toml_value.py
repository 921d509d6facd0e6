"""Values for TOML files that programs write; Python reads TOML but does not write it."""

import json


def toml_value(value: str | float) -> str:
    """A JSON string, number or truth is a TOML one, but for pairs of surrogates and the DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
