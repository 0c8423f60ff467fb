"""Tokens, comments and long lines of a text."""

from __future__ import annotations

import ast
import io
import tokenize
from dataclasses import dataclass, fields

from .modules import DEFINITIONS

# Tokens that structure lines and say nothing themselves.
LAYOUT = {
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


@dataclass(frozen=True)
class Lines:
    """Counts of one file, or of many that were added.

    Attributes
    ----------
    lines, filled : int
        All lines, and those that are not blank.
    code : int
        Lines that a token of code touches, so neither blank, nor comment, nor docstring.
    tokens : int
        Tokens of code: names, numbers, strings, operators; a docstring is none.
    all_tokens : int
        Everything that tokenize yields: comments, docstrings, ends of lines and indentation too.
    comments : int
        Comments on a line of their own or behind code.
    over_100, over_120 : int
        Lines of more columns.
    """

    lines: int = 0
    filled: int = 0
    code: int = 0
    tokens: int = 0
    all_tokens: int = 0
    comments: int = 0
    over_100: int = 0
    over_120: int = 0

    def __add__(self, other: Lines) -> Lines:
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        return Lines(**sums)


def count(text: str, tree: ast.Module) -> Lines:
    """Count the lines and tokens of a file."""
    lines = text.splitlines()
    documented = _docstring_lines(tree)
    code: set[int] = set()
    tokens = comments = all_tokens = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        all_tokens += 1
        comments += token.type == tokenize.COMMENT
        if token.type == tokenize.COMMENT or token.type in LAYOUT:
            continue
        if token.type == tokenize.STRING and token.start[0] in documented:
            continue
        tokens += 1
        code.update(range(token.start[0], token.end[0] + 1))
    return Lines(
        lines=len(lines),
        filled=sum(bool(line.strip()) for line in lines),
        code=len(code),
        tokens=tokens,
        all_tokens=all_tokens,
        comments=comments,
        over_100=sum(len(line) > 100 for line in lines),
        over_120=sum(len(line) > 120 for line in lines),
    )


def _docstring_lines(tree: ast.Module) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, *DEFINITIONS)) and ast.get_docstring(node) is not None:
            docstring = node.body[0]
            lines.update(range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1))
    return lines
