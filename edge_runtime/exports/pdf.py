"""A PDF of lines, bars and text, written as it comes: pages in millimetres from the top left.

Latin text is in Helvetica, which every reader has; Chinese characters are embedded where used.
"""

import zlib
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Final

from edge_runtime.exports.cjk_font import FONT_FILE, glyphs, to_unicode

_PT_PER_MM: Final = 72 / 25.4
A4_MM: Final = (297.0, 210.0)
"""On its side."""


class PageDrawing:
    """The drawing of one page. Coordinates in mm, y downwards; colours are red, green, blue."""

    def __init__(self) -> None:
        width, height = (side * _PT_PER_MM for side in A4_MM)
        self._parts = [f"{_PT_PER_MM:.6f} 0 0 {-_PT_PER_MM:.6f} 0 {height:.3f} cm 1 J 1 j"]
        self.width_pt, self.height_pt = width, height
        self.has_chinese = False

    def pen(self, colour: tuple[float, float, float], width_mm: float) -> None:
        """How the next lines look."""
        red, green, blue = colour
        self._parts.append(f"{red:g} {green:g} {blue:g} RG {width_mm:g} w")

    def line(self, points: Iterable[tuple[float, float]]) -> None:
        """A line through `points`."""
        words = []
        for number, (x, y) in enumerate(points):
            words.append(f"{x:.3f} {y:.3f} {'l' if number else 'm'}")
        if len(words) > 1:
            self._parts.append(" ".join(words) + " S")

    def bar(
        self, x: float, y: float, width: float, height: float, colour: tuple[float, float, float]
    ) -> None:
        """A filled rectangle, (x, y) its upper left corner."""
        red, green, blue = colour
        self._parts.append(
            f"{red:g} {green:g} {blue:g} rg {x:.3f} {y:.3f} {width:.3f} {height:.3f} re f"
        )

    def text(self, x: float, y: float, size_mm: float, text: str, *, bold: bool = False) -> None:
        """`text` from (x, y) on, its baseline at y. What is neither Latin-1 nor a character of the
        embedded font becomes a question mark."""
        known = glyphs()
        shown = []
        for chinese, characters in groupby(text, lambda one: one in known):
            run = "".join(characters)
            if chinese:
                self.has_chinese = True
                codes = "".join(f"{known[one]:04x}" for one in run)
                shown.append(f"/F3 {size_mm:g} Tf <{codes}> Tj")
            else:
                shown.append(f"/F{2 if bold else 1} {size_mm:g} Tf ({_latin(run)}) Tj")
        self._parts.append(f"BT 0 g 1 0 0 -1 {x:.3f} {y:.3f} Tm {' '.join(shown)} ET")

    def content(self) -> bytes:
        """The page's content stream."""
        return "\n".join(self._parts).encode("latin-1")


def pdf(title: str, pages: Sequence[PageDrawing]) -> bytes:
    """The document."""
    objects: list[bytes] = []

    def add(body: bytes) -> int:
        objects.append(body)
        return len(objects)

    catalog, tree = add(b""), add(b"")
    fonts = [
        add(f"<</Type/Font/Subtype/Type1/BaseFont/{name}/Encoding/WinAnsiEncoding>>".encode())
        for name in ("Helvetica", "Helvetica-Bold")
    ]
    if any(page.has_chinese for page in pages):
        fonts.append(_chinese(add))
    listed_fonts = "".join(f"/F{n} {font} 0 R" for n, font in enumerate(fonts, start=1))
    kids = []
    for page in pages:
        content = page.content()
        stream = add(b"<</Length %d>>stream\n%b\nendstream" % (len(content), content))
        box = f"[0 0 {page.width_pt:.3f} {page.height_pt:.3f}]"
        kids.append(
            add(
                f"<</Type/Page/Parent {tree} 0 R/MediaBox{box}/Contents {stream} 0 R/Resources"
                f"<</Font<<{listed_fonts}>>>>>>".encode()
            )
        )
    listed = " ".join(f"{kid} 0 R" for kid in kids)
    objects[tree - 1] = f"<</Type/Pages/Count {len(kids)}/Kids[{listed}]>>".encode()
    objects[catalog - 1] = f"<</Type/Catalog/Pages {tree} 0 R>>".encode()
    escaped = title.replace("\\", "").replace("(", "").replace(")", "")
    info = add(f"<</Title({escaped})/Producer(ecg-edge)>>".encode("latin-1", "replace"))
    return _assembled(objects, catalog, info)


def _latin(text: str) -> str:
    plain = text.encode("latin-1", "replace").decode("latin-1")
    return plain.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _chinese(add: Callable[[bytes], int]) -> int:
    """The embedded font: addressed by glyph, each as wide as it is high."""
    outlines, map_ = zlib.compress(FONT_FILE.read_bytes()), zlib.compress(to_unicode())
    stream = b"<</Length %d/Filter/FlateDecode%b>>stream\n%b\nendstream"
    length = f"/Length1 {FONT_FILE.stat().st_size}".encode()
    file = add(stream % (len(outlines), length, outlines))
    unicode = add(stream % (len(map_), b"", map_))
    described = add(
        f"<</Type/FontDescriptor/FontName/ECGEDG+DroidSansFallback/Flags 4/ItalicAngle 0"
        f"/FontBBox[0 -250 1000 1000]/Ascent 1000/Descent -250/CapHeight 880/StemV 80"
        f"/FontFile2 {file} 0 R>>".encode()
    )
    within = add(
        b"<</Type/Font/Subtype/CIDFontType2/BaseFont/ECGEDG+DroidSansFallback/CIDSystemInfo"
        b"<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/DW 1000/CIDToGIDMap/Identity"
        b"/FontDescriptor %d 0 R>>" % described
    )
    return add(
        b"<</Type/Font/Subtype/Type0/BaseFont/ECGEDG+DroidSansFallback/Encoding/Identity-H"
        b"/DescendantFonts[%d 0 R]/ToUnicode %d 0 R>>" % (within, unicode)
    )


def _assembled(objects: Sequence[bytes], catalog: int, info: int) -> bytes:
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for place in places:
        out += b"%010d 00000 n \n" % place
    out += b"trailer<</Size %d/Root %d 0 R/Info %d 0 R>>\n" % (len(objects) + 1, catalog, info)
    out += b"startxref\n%d\n%%%%EOF\n" % table
    return bytes(out)
