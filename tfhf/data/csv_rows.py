"""CSV and TSV files as record batches of text: no value is taken for a number or for nothing."""

import csv
import io
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.csv

from tfhf.data.streams import PIECE, open_utf8
from tfhf.errors import UserError, reason


def csv_rows(path, encoding=None, separator=","):
    """Reads a checked CSV file.

    Args:
        path: the file, with a first line that names the columns.
        encoding: as in `check_text`.
        separator: the character between two fields.

    Yields:
        Record batches; every column is a string and holds what the file says, "NA" included.

    Raises:
        UserError: if a name comes twice, there are no rows, a row has another number of fields
            than the header, or a quote is never closed.
    """
    names = _header(path, encoding, separator)
    rows, last = 0, None
    try:
        with open_utf8(path, encoding) as stream:
            for batch in pa.csv.open_csv(
                stream,
                read_options=pa.csv.ReadOptions(block_size=PIECE),
                parse_options=pa.csv.ParseOptions(delimiter=separator, newlines_in_values=True),
                convert_options=pa.csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
                ),
            ):
                if batch.num_rows:
                    rows, last = rows + batch.num_rows, batch
                    yield batch
    except pa.ArrowInvalid as error:
        raise _explain(path, encoding, separator, len(names)) or UserError(
            f"{path}: cannot be read as CSV: {reason(error)}"
        ) from None
    if not rows or _ends_in_open_quote(path, encoding, last.column(-1)[-1].as_py()):
        error = _explain(path, encoding, separator, len(names))
        if error:
            raise error


def _header(path, encoding, separator):
    with _records(path, encoding, separator) as records:
        names = next(record for record in records if record)
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{path}: two columns are called {name!r}; rename one of them")
    return names


@contextmanager
def _records(path, encoding, separator, strict=False):
    """Opens the file for Python's own CSV reader, which is slow but counts lines."""
    limit = csv.field_size_limit(
        2**31 - 1
    )  # by itself the reader takes no longer texts than 131 kB
    try:
        with (
            open_utf8(path, encoding) as stream,
            io.TextIOWrapper(io.BufferedReader(stream), encoding="utf-8", newline="") as text,
        ):
            yield csv.reader(text, delimiter=separator, strict=strict)
    finally:
        csv.field_size_limit(limit)


def _explain(path, encoding, separator, fields):
    """Finds the first malformed row and its line, slowly; None if Python's reader finds none."""
    with _records(path, encoding, separator, strict=True) as reader:
        records = 0
        while True:
            line = reader.line_num + 1
            try:
                record = next(reader, None)
            except csv.Error as error:
                if "unexpected end" in str(error):
                    return UserError(f"{path}:{line}: a quote that opens here is never closed")
                return UserError(f"{path}:{line}: broken quoting: {error}")
            if record is None:
                return UserError(f"{path} has a header but no rows") if records < 2 else None
            records += bool(record)
            if record and len(record) != fields:
                return UserError(
                    f"{path}:{line}: expected {fields} fields as in the header, found "
                    f"{len(record)}; quote fields that hold {separator!r}"
                )


def _ends_in_open_quote(path, encoding, value):
    """Whether the file ends inside the quotes of its last value, which Arrow lets pass."""
    if not value.strip('"'):
        return False
    tail = ('"' + value.replace('"', '""')).encode()
    end = b""
    with open_utf8(path, encoding) as stream:
        while chunk := stream.read(2**20):
            end = (end + chunk)[-len(tail) :]
    return end == tail
