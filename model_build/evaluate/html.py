"""A report as one HTML file that needs nothing beside it: no script, no font, no picture file."""

import re
from collections.abc import Sequence
from html import escape
from typing import Final

from model_build.evaluate.document import Block, Document, Figure, Listing, Section, Table, Text

_STYLE: Final = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1d2329; background: #fff;
  max-width: 60rem; margin: 2rem auto 4rem; padding: 0 1.25rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; padding-top: .75rem;
  border-top: 1px solid #d8dee4; }
nav { columns: 2; font-size: .9rem; margin: 1.5rem 0; }
nav a { display: block; color: #0b5cad; text-decoration: none; padding: .1rem 0; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #e5e9ed; }
th { font-weight: 600; border-bottom: 2px solid #b6c0ca; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td.words { text-align: left; }
figure { margin: 1.25rem 0; }
figure svg { max-width: 100%; height: auto; display: block; }
figcaption { font-size: .875rem; color: #4b5763; max-width: 46rem; }
code { font-size: .9em; background: #f2f4f6; padding: 0 .2em; }
li { margin: .3rem 0; }
@media print { nav { display: none; } h2, figure { break-inside: avoid; } }
"""


def to_html(document: Document) -> str:
    """The whole document with its figures."""
    links = "".join(
        f'<a href="#{_anchor(section.title)}">{escape(section.title)}</a>'
        for section in document.sections
    )
    body = [
        f"<h1>{escape(document.title)}</h1>",
        *map(_block, document.introduction),
        f"<nav>{links}</nav>",
        *map(_section, document.sections),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(document.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    title = f'<h2 id="{_anchor(section.title)}">{escape(section.title)}</h2>'
    return "\n".join([title, *map(_block, section.blocks)])


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _block(block: Block) -> str:
    match block:
        case Text(words):
            return f"<p>{_inline(words)}</p>"
        case Listing(items):
            return "<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + "</ul>"
        case Table(head, rows):
            return _table(head, rows)
        case Figure(svg, caption):
            return f"<figure>{svg}<figcaption>{_inline(caption)}</figcaption></figure>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    first = "".join(f"<th>{_inline(cell)}</th>" for cell in head)
    rest = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>\n" for row in rows)
    return (
        f'<div class="wide"><table>\n<thead><tr>{first}</tr></thead>\n<tbody>\n{rest}</tbody>'
        "</table></div>"
    )


def _cell(cell: str) -> str:
    is_number = re.fullmatch(r"[-+0-9.,:%/ ±e]*", cell) is not None
    return f"<td>{_inline(cell)}</td>" if is_number else f'<td class="words">{_inline(cell)}</td>'


def _inline(words: str) -> str:
    marked = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(words, quote=False))
    return re.sub(r"`(.+?)`", r"<code>\1</code>", marked)
