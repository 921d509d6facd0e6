"""Cut Debian's fonts-droid-fallback down to the Chinese characters of reports (`make report-font`).

Needs fonttools, which the dev extra brings.
"""

import sys
from pathlib import Path

from fontTools import subset

from edge_runtime.exports.cjk_font import CHARACTERS_FILE, FONT_FILE, PART
from edge_runtime.exports.report_words import WORDS

_LATIN_1 = 256


def main(full: Path) -> None:
    """Write the font and the order of its glyphs from the whole font `full`."""
    wanted = {c for text in WORDS["zh"].values() for c in text if ord(c) >= _LATIN_1}
    options = subset.Options(
        hinting=False, layout_features=[], name_IDs=[0, 1, 13], notdef_outline=True
    )
    font = subset.load_font(str(full), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[ord(c) for c in wanted])
    subsetter.subset(font)
    order = {name: number for number, name in enumerate(font.getGlyphOrder())}
    by_glyph = {order[name]: chr(code) for code, name in font.getBestCmap().items()}
    missing = wanted - set(by_glyph.values())
    if missing:
        sys.exit(f"{full} has no glyph for {''.join(sorted(missing))}")
    # The flag in the original forbids what its licence (Apache-2.0) allows.
    font["OS/2"].fsType = 0
    FONT_FILE.parent.mkdir(exist_ok=True)
    subset.save_font(font, str(FONT_FILE), options)
    listed = "".join(by_glyph.get(n, PART) for n in range(1, len(order)))
    CHARACTERS_FILE.write_text(f"{listed}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
