"""Answers: exact spans of a context, found by character offsets."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfhf.data.rows import Column, as_dataset, type_name
from tfhf.errors import UserError

PARTS = {"text": pa.string(), "answer_start": pa.int64()}
SHAPE = '{"text": [...], "answer_start": [...]}'
AT_ONCE = 1000  # rows whose contexts are in memory at a time


def is_unlabeled(rows, role):
    """Whether no row has an answer, as in published test splits."""
    column = rows.matched[role]
    found = [_parts(rows, column, start, chunk) for start, chunk in rows.chunks(column)]
    return not any(len(texts.flatten()) for texts, _, _ in found)


def read_answers(rows, role, kind, contexts):
    """Reads `Answers`; see `Kind.read`."""
    column, chunks, missing = rows.matched[role], [], [np.zeros(0, bool)]
    for start, chunk in rows.chunks(column):
        texts, places, absent = _parts(rows, column, start, chunk)
        wrong = pc.not_equal(pc.list_value_length(texts), pc.list_value_length(places)).to_numpy(
            zero_copy_only=False
        )
        if wrong.any():
            row = int(wrong.argmax())
            raise UserError(
                f"{rows.where(start + row)}: {role} has {len(texts[row])} text and "
                f"{len(places[row])} answer_start; write one start for each text"
            )
        for first in range(0, len(chunk), AT_ONCE):
            found = contexts.array.slice(start + first, AT_ONCE).to_pylist()
            part = slice(first, first + AT_ONCE)
            spans = zip(found, texts[part].to_pylist(), places[part].to_pylist(), strict=False)
            for row, (context, words, begins) in enumerate(spans, start=start + first):
                for text, place in zip(words, begins, strict=True):
                    _check_span(rows, row, kind, context, text, place)
        chunks.append(pa.StructArray.from_arrays([texts, places], list(PARTS)))
        missing.append(absent)
    return Column(as_dataset(role, chunks, kind.feature()), missing=np.concatenate(missing))


def _check_span(rows, row, kind, context, text, place):
    """Refuses an answer that does not stand at its place."""
    if text and place is not None and place >= 0 and context.startswith(text, place):
        return
    if not text:
        raise UserError(
            f"{rows.where(row)}: an answer is empty; where a question has no answer both lists are"
        )
    if place is None or place < 0:
        stands = f"has the answer_start {place}"
    else:
        there = context[place : place + len(text)]
        stands = f"is not at {place} of the {kind.of}, where {there[:60]!r} stands"
    every = _places(context, text)
    if every:
        nearest = min(every, key=lambda one: abs(one - (place or 0)))
        mend = f"it is at {nearest}; starts count characters from 0"
    else:
        mend = f"the {kind.of} does not hold it; write an exact part of the {kind.of}"
    raise UserError(f"{rows.where(row)}: answer {text[:60]!r} {stands}; {mend}")


def _places(context, text):
    """Every place at which a text begins."""
    found, place = [], context.find(text)
    while place >= 0:
        found.append(place)
        place = context.find(text, place + 1)
    return found


def _parts(rows, column, start, chunk):
    """Lists of texts, lists of starts, and `(rows,)` bool: the row has neither."""
    shape = type_name(chunk.type)
    if shape == "object" and _has_parts(chunk.type):
        lists = [_as_list(pc.struct_field(chunk, [name])) for name in PARTS]
        found = [(pc.list_value_length(one), pc.list_flatten(one)) for one in lists]
        absent = pc.and_(*map(pc.is_null, lists))
    elif shape == "list of object" and _has_parts(chunk.type.value_type):
        lengths, objects = pc.list_value_length(chunk), chunk.flatten()
        found = [(lengths, pc.struct_field(objects, [name])) for name in PARTS]
        absent = pc.is_null(chunk)
    elif shape in ("nothing", "list of nothing"):
        found = [(pc.list_value_length(_as_list(chunk)), pa.nulls(0))] * 2
        absent = pc.is_null(chunk)
    else:
        found = [(None, pa.nulls(0, pa.bool_()))]
    fits = [("text", "nothing"), ("number", "nothing")]
    if any(type_name(one.type) not in fit for (_, one), fit in zip(found, fits, strict=False)):
        raise UserError(
            f"data.columns: column {column!r} holds {str(chunk[0].as_py())[:60]} "
            f"({rows.where(start)}), not answers, which are an object {SHAPE} for each row"
        )
    try:
        texts, places = (
            _listed(lengths, values.cast(kind))
            for (lengths, values), kind in zip(found, PARTS.values(), strict=True)
        )
    except pa.ArrowInvalid as error:
        raise UserError(
            f"{rows.name}: an answer_start in column {column!r} is no whole number ({error}); "
            "starts count characters from 0"
        ) from None
    return texts, places, absent.to_numpy(zero_copy_only=False)


def _has_parts(kind):
    return set(PARTS) <= {one.name for one in kind}


def _as_list(array):
    """A list array; where it holds no lists, one of a type that no answer has."""
    if pa.types.is_null(array.type):
        return array.cast(pa.list_(pa.null()))
    if not type_name(array.type).startswith("list"):
        return pa.nulls(len(array), pa.list_(pa.bool_()))
    return array


def _listed(lengths, values):
    """Lists of these lengths over values; a list that is null becomes an empty one."""
    ends = np.cumsum(pc.fill_null(lengths, 0).to_numpy())
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values)
