"""Expressions: trees of the language, their parser, units, evaluation and printing."""
