"""A report as blocks of text, tables and figures, and its Markdown; `html` has the other form."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Text:
    """One paragraph. `**bold**` and `` `code` `` are understood; nothing else is."""

    words: str


@dataclass(frozen=True, slots=True)
class Table:
    """Cells are plain text; the first column is a name, the others are numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """Bullet points."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing (`<svg>` element) with its caption. Markdown leaves it out."""

    svg: str
    caption: str


Block: TypeAlias = Text | Table | Listing | Figure


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks under a heading."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A title, an introduction and sections."""

    title: str
    introduction: tuple[Block, ...]
    sections: tuple[Section, ...]


def to_markdown(document: Document) -> str:
    """The document without its figures."""
    parts = [f"# {document.title}", *_written(document.introduction)]
    for section in document.sections:
        written = _written(section.blocks)
        if written:
            parts += [f"## {section.title}", *written]
    return "\n\n".join(parts) + "\n"


def _written(blocks: Sequence[Block]) -> list[str]:
    return [text for text in map(_markdown, blocks) if text]


def _markdown(block: Block) -> str:
    match block:
        case Text(words):
            return words
        case Listing(items):
            return "\n".join(f"- {item}" for item in items)
        case Table(head, rows):
            lines = [_line(head), "|" + "---|" * len(head), *map(_line, rows)]
            return "\n".join(lines)
        case Figure():
            return ""


def _line(cells: Sequence[str]) -> str:
    # An empty first cell is written with one space, as editors' formatters do.
    return "".join(f"| {cell} " if cell else "| " for cell in cells) + "|"
