"""The Chinese characters of reports, as a font that a PDF embeds.

`fonts/zh.ttf` is Droid Sans Fallback (Apache-2.0) cut down to the characters of `report_words` by
`make report-font`; `fonts/zh.txt` lists them in the order of their glyphs, from glyph 1 on.
"""

from functools import cache
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent / "fonts"
FONT_FILE: Final = _FOLDER / "zh.ttf"
CHARACTERS_FILE: Final = _FOLDER / "zh.txt"
PART: Final = "\ufffd"
"""Stands for a glyph that is a part of others alone."""


@cache
def glyphs() -> dict[str, int]:
    """Glyph by character."""
    text = CHARACTERS_FILE.read_text(encoding="utf-8").rstrip("\n")
    return {one: glyph for glyph, one in enumerate(text, start=1) if one != PART}


def to_unicode() -> bytes:
    """A CMap from glyphs back to characters: what makes the text searchable."""
    pairs = [f"<{glyph:04x}> <{ord(character):04x}>" for character, glyph in glyphs().items()]
    blocks = [pairs[at : at + 100] for at in range(0, len(pairs), 100)]  # a CMap's own limit
    body = "\n".join(
        f"{len(block)} beginbfchar\n{chr(10).join(block)}\nendbfchar" for block in blocks
    )
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        "/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n"
        "/CMapName /Adobe-Identity-UCS def /CMapType 2 def\n"
        "1 begincodespacerange <0000> <ffff> endcodespacerange\n"
        f"{body}\nendcmap CMapName currentdict /CMap defineresource pop end end"
    ).encode("ascii")
