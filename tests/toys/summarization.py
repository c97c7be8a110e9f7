"""Toy rows for summarization."""

from tests.toys.text2text import OPTIONS, model, rows

__all__ = ["OPTIONS", "model", "rows"]
