"""Rows by role: files and Hub datasets, checked, before TensorFlow loads."""

from tfhf.data.loading import Loaded, describe, load
from tfhf.data.memory import conform, from_rows
from tfhf.data.reading import read_inputs, read_rows
from tfhf.data.survey import survey, texts_in

__all__ = [
    "Loaded",
    "conform",
    "describe",
    "from_rows",
    "load",
    "read_inputs",
    "read_rows",
    "survey",
    "texts_in",
]
