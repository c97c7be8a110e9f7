"""JSON and JSON-lines files as record batches."""

import io
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.json

from tfhf.data.files import suffix_of
from tfhf.data.squad import is_squad, squad_rows
from tfhf.data.streams import line_pieces, open_utf8
from tfhf.errors import UserError

MIXED = b"tfhf.mixed"  # schema metadata: column → which types it mixes and where
DEEPEST = 100  # lists and objects in each other; Arrow's reader ends the process at some depth
STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
ONE_OBJECT = "one object per line is expected"
TOO_DEEP = "lists or objects are nested too deeply"


class JsonRows:
    """The rows of one checked JSON file: one object per line, a list of objects, or SQuAD's layout.

    Types are found over all rows first. A column that mixes types, say numbers and text, is kept
    as JSON text and listed in the schema's metadata under `MIXED`.

    Args:
        path: the file.
        encoding: as in `check_text`.
        field: the field of one big object that holds the list of rows.

    Raises:
        UserError: if a row is not a JSON object.
    """

    def __init__(self, path, encoding=None, field=None):
        self.path, self.encoding, self._squad = path, encoding, False
        self._listed = None if self._is_lines(field) else self._read_list(field)

    def batches(self):
        """Yields the rows as record batches of one schema."""
        schema, mixed = self._schema()
        if not schema.names:
            raise UserError(f"{self.path}: the rows have no named values, only {{}}")
        for _, piece in self._pieces():
            table = _parse(_as_text(piece, mixed), schema)
            yield from table.replace_schema_metadata(schema.metadata).to_batches()

    def where(self, row):
        """Says where a row (from 0) is: `a.jsonl:17`, or `a.json row 17` in a list."""
        if self._squad and self._listed[row]["id"] is not None:
            return f"{self.path} question {self._listed[row]['id']!r}"
        if self._listed is not None:
            return f"{self.path} row {row + 1}"
        for number, line in self._lines():
            if line.strip():
                if row == 0:
                    return f"{self.path}:{number}"
                row -= 1
        raise IndexError(row)

    def _is_lines(self, field):
        """Whether the file has one object per line; a `field` says that it has not."""
        with open_utf8(self.path, self.encoding) as stream:
            lines = io.BufferedReader(stream)
            first = next(line for line in lines if line.strip())
            alone = not any(line.strip() for line in lines)
        try:
            value = json.loads(first)
        except (ValueError, RecursionError):
            return suffix_of(self.path) != ".json"
        if field is not None or isinstance(value, list):
            return False
        # One object on its own holds the rows in `.json`; in `.jsonl` it is one: a conversation.
        alone = alone and suffix_of(self.path) == ".json"
        return not (alone and isinstance(value, dict) and _row_fields(value))

    def _read_list(self, field):
        with open_utf8(self.path, self.encoding) as stream:
            try:
                value = json.loads(stream.read().decode())  # of bytes it would guess the encoding
            except ValueError as error:
                if "Extra data" in error.msg and field is None:
                    return None  # objects over several lines each: let the line reader complain
                if "Extra data" in error.msg:
                    raise UserError(
                        f"data.field: {self.path} has one object per line and no field {field!r} "
                        "around them; leave data.field out"
                    ) from None
                raise UserError(
                    f"{self.path}:{error.lineno}: not valid JSON: {error.msg}"
                ) from None
            except RecursionError:
                raise UserError(f"{self.path}: {TOO_DEEP}") from None
        if is_squad(value) and field in (None, "data"):
            value, self._squad = squad_rows(value, self.path), True
        elif isinstance(value, dict) or field is not None:
            value = self._field_of(value, field)
        if not value:
            raise UserError(f"{self.path} has no rows")
        for number, row in enumerate(value, start=1):
            if not isinstance(row, dict):
                raise UserError(
                    f"{self.path} row {number}: expected an object with named values, received "
                    f"{json.dumps(row)[:60]}"
                )
        return value

    def _field_of(self, value, field):
        found = _row_fields(value) if isinstance(value, dict) else []
        if field in found:
            return value[field]
        if field is not None:
            raise UserError(
                f"data.field: {self.path} has no list of rows called {field!r}; found {found}"
            )
        if not found:
            return [value]
        raise UserError(
            f"{self.path}: one object whose field {found[0]!r} holds the rows; "
            f"set data.field: {found[0]}"
        )

    def _pieces(self):
        """Yields `(number of the first row, JSON lines)`."""
        if self._listed is None:
            yield from line_pieces(self.path, self.encoding)
            return
        for start in range(0, len(self._listed), 10_000):
            rows = self._listed[start : start + 10_000]
            yield start + 1, "\n".join(map(json.dumps, rows)).encode()

    def _lines(self):
        """Yields `(number, line)` for every line, blank ones included; slow."""
        for first, piece in self._pieces():
            yield from enumerate(piece.removesuffix(b"\n").split(b"\n"), start=first)

    def _schema(self):
        """Finds one schema for all rows, and the columns that mix types."""
        schema, mixed = pa.schema([]), set()
        for first, piece in self._pieces():
            deep, foreign = _look(piece)
            if deep is not None:
                raise UserError(f"{self._place(first + deep)}: {TOO_DEEP}")
            if foreign:
                raise self._broken(first, piece, ONE_OBJECT)
            while True:
                try:
                    found = _parse(_as_text(piece, mixed))
                    break
                except (
                    ValueError,
                    RecursionError,
                ) as error:  # Arrow's errors are of the first kind
                    column = re.search(r"Column\(/([^/)]+).*\) changed from", str(error))
                    if not column or column[1] in mixed:
                        raise self._broken(first, piece, str(error)) from None
                    mixed.add(column[1])
            if found.num_rows != _count_lines(piece):
                raise self._broken(first, piece, ONE_OBJECT)
            schema, clashing = _merge(schema, found.schema)
            mixed |= clashing
        fields = [pa.field(one.name, pa.string()) if one.name in mixed else one for one in schema]
        places = {column: self._types_of(column) for column in sorted(mixed)}
        return pa.schema(fields, {MIXED: json.dumps(places)}), mixed

    def _place(self, number):
        """Where a line of `_pieces` is, numbered from 1."""
        return f"{self.path} row {number}" if self._listed is not None else f"{self.path}:{number}"

    def _broken(self, first, piece, reason):
        """The error for the first line of a piece that cannot be read."""
        for number, line in enumerate(piece.split(b"\n"), start=first):
            if not line.strip():
                continue
            place = self._place(number)
            try:
                row = json.loads(line.decode(), object_pairs_hook=_object)
            except ValueError as error:
                return UserError(f"{place}: not valid JSON: {getattr(error, 'msg', error)}")
            except RecursionError:
                return UserError(f"{place}: {TOO_DEEP}")
            if not isinstance(row, dict):
                return UserError(
                    f"{place}: expected an object with named values, received "
                    f"{json.dumps(row)[:60]}"
                )
            if re.search(r"[\ud800-\udfff]", json.dumps(row, ensure_ascii=False)):
                return UserError(
                    f"{place}: half a surrogate pair, which is no character; remove the "
                    "\\ud800-\\udfff escape"
                )
        return UserError(f"{self.path}: not valid JSON lines: {reason}")

    def _types_of(self, column):
        """Where a mixed column has its first two types: `number on line 1, text on line 2`."""
        unit = "line" if self._listed is None else "row"
        first = {}
        for number, line in self._lines():
            value = json.loads(line).get(column) if line.strip() else None
            if value is not None:
                first.setdefault(_type_name(value), number)
        return ", ".join(f"{name} on {unit} {number}" for name, number in list(first.items())[:2])


def _object(pairs):
    """Pairs → dict, as `json.loads` makes it, but no name may come twice."""
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} comes twice in one object")
    return value


def _row_fields(value):
    """The fields of an object that hold a list of objects."""
    return [
        name
        for name, one in value.items()
        if isinstance(one, list) and one and all(isinstance(row, dict) for row in one)
    ]


def _look(piece):
    """Looks for what Arrow's reader does not survive: it ends the process.

    Returns:
        The number, from 0, of the first line that nests more than `DEEPEST` levels, or None; and
        whether a line begins with something else than an object, such as null.
    """
    characters = np.frombuffer(piece, np.uint8)
    ends = np.r_[np.flatnonzero(characters == ord("\n")), len(piece)]
    starts = np.r_[0, ends[:-1] + 1]
    opened = np.diff(np.searchsorted(np.flatnonzero(_any(characters, "[{")), ends), prepend=0)
    for number in np.flatnonzero(opened > DEEPEST):  # few lines open so many, one after another
        bare = np.frombuffer(STRING.sub(b"", piece[starts[number] : ends[number]]), np.uint8)
        depths = np.cumsum(_any(bare, "[{").astype(np.int64) - _any(bare, "]}"))
        if depths.max(initial=0) > DEEPEST:
            return int(number), False
    filled = starts < ends
    odd = np.flatnonzero(filled)[characters[starts[filled]] != ord("{")]
    lines = (piece[starts[number] : ends[number]].strip() for number in odd)
    return None, any(line and not line.startswith(b"{") for line in lines)


def _any(characters, two):
    return (characters == ord(two[0])) | (characters == ord(two[1]))


def _parse(piece, schema=None):
    """JSON lines → table; dates stay text."""
    options = pa.json.ReadOptions(block_size=len(piece) + 1)
    if schema is None:
        table = pa.json.read_json(io.BytesIO(piece), read_options=options)
        schema = pa.schema([one.with_type(_without_dates(one.type)) for one in table.schema])
        if schema == table.schema:
            return table
    parsing = pa.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    return pa.json.read_json(io.BytesIO(piece), read_options=options, parse_options=parsing)


def _without_dates(kind):
    if pa.types.is_timestamp(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_without_dates(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(one.name, _without_dates(one.type)) for one in kind])
    return kind


def _as_text(piece, mixed):
    """Rewrites the mixed columns of JSON lines as JSON text."""
    if not mixed:
        return piece
    lines = (line for line in piece.split(b"\n") if line.strip())
    rows = [json.loads(line, object_pairs_hook=_object) for line in lines]
    for row in rows:
        for column in mixed:
            if row.get(column) is not None:
                row[column] = json.dumps(row[column])
    return "\n".join(map(json.dumps, rows)).encode()


def _count_lines(piece):
    return sum(1 for line in piece.split(b"\n") if line.strip())


def _merge(schema, other):
    """Two schemas → one that holds both, and the columns whose types cannot meet."""
    clashing = set()
    for one in other:
        if one.name not in schema.names:
            schema = schema.append(one)
            continue
        index = schema.get_field_index(one.name)
        pair = [pa.schema([schema.field(index)]), pa.schema([one])]
        try:
            merged = pa.unify_schemas(pair, promote_options="permissive")
            schema = schema.set(index, merged.field(0))
        except pa.ArrowTypeError:
            clashing.add(one.name)
    return schema, clashing


def _type_name(value):
    """A JSON type, as people call it."""
    if isinstance(value, list):
        inner = next((_type_name(one) for one in value if one is not None), None)
        return f"list of {inner}" if inner else "list"
    names = {bool: "true/false", int: "number", float: "number", str: "text", dict: "object"}
    return names[type(value)]
