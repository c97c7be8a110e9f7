"""Conversations: lists of messages, each with a role and what is said."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfhf.data.checks import check_characters
from tfhf.data.rows import Column, as_dataset, type_name
from tfhf.errors import UserError, did_you_mean

SPEAKERS = ("system", "user", "assistant", "tool")
PARTS = ("role", "content")


def read_messages(rows, role, kind):
    """Reads `Messages`; see `Kind.read`."""
    column, chunks, unread = rows.matched[role], [], {}
    for start, chunk in rows.chunks(column):
        _check_lists(rows, column, role, start, chunk)
        lengths = pc.list_value_length(chunk).to_numpy()
        parents = pc.list_parent_indices(chunk).to_numpy()
        messages = chunk.flatten()
        unread |= dict.fromkeys(one.name for one in messages.type if one.name not in PARTS)
        parts = [_texts(rows, column, start, messages, parents, name) for name in PARTS]
        speakers = parts[0].to_numpy(zero_copy_only=False)
        _check_speakers(rows, column, start, speakers, parents)
        if not rows.predicting:
            answered = np.bincount(parents[speakers == "assistant"], minlength=len(chunk)) > 0
            if not answered.all():
                raise UserError(
                    f"{rows.where(start + int(answered.argmin()))}: column {column!r} has no "
                    "message of the assistant, which is what is learned; remove the row"
                )
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        objects = pa.StructArray.from_arrays(parts, list(PARTS))
        chunks.append(pa.ListArray.from_arrays(pa.array(offsets), objects))
    notes = []
    if unread:
        names = ", ".join(map(repr, unread))
        notes = [f"{rows.name}: the messages of column {column!r} also hold {names}, not read"]
    return Column(as_dataset(role, chunks, kind.feature()), notes=notes)


def _check_lists(rows, column, role, start, chunk):
    """Refuses a column of anything but lists of objects, and rows without a message."""
    if type_name(chunk.type) not in ("list of object", "list of nothing", "nothing"):
        raise UserError(
            f"data.columns: column {column!r} ({role}) has type {type_name(chunk.type)}, not list "
            f"of messages ({rows.where(start)}: {str(chunk[0].as_py())[:40]}); a message is an "
            'object {"role": ..., "content": ...}'
        )
    if pa.types.is_null(chunk.type):
        empty = np.ones(len(chunk), bool)
    else:
        empty = pc.fill_null(pc.list_value_length(chunk), 0).to_numpy() == 0
    if empty.any():
        raise UserError(
            f"{rows.where(start + int(empty.argmax()))}: column {column!r} ({role}) holds no "
            "messages; write one or remove the row"
        )


def _texts(rows, column, start, messages, parents, name):
    """One part of every message, as text."""
    row, received = int(start), sorted(one.name for one in messages.type)
    if name in received:
        part = pc.struct_field(messages, [name])
        kind = type_name(part.type)
        if kind not in ("text", "nothing"):
            raise UserError(f"{rows.where(row)}: the {name} of a message has type {kind}, not text")
        absent = pc.is_null(part).to_numpy(zero_copy_only=False)
        if not absent.any():
            part = part.cast(pa.string())
            check_characters(rows, column, start, part, parents)
            return part
        row += int(parents[absent.argmax()])
        received = sorted(
            key
            for key, value in messages[int(absent.argmax())].as_py().items()
            if value is not None
        )
    raise UserError(
        f"{rows.where(row)}: a message of column {column!r} has no {name}; it holds "
        f"{', '.join(received) or 'nothing'}; a message needs role and content"
    )


def _check_speakers(rows, column, start, speakers, parents):
    for speaker in dict.fromkeys(speakers):
        if speaker not in SPEAKERS:
            row = start + int(parents[(speakers == speaker).argmax()])
            raise UserError(
                f"{rows.where(row)}: unknown role {speaker!r} in column {column!r}; the roles are "
                f"{', '.join(SPEAKERS)}{did_you_mean(speaker, SPEAKERS)}"
            )
