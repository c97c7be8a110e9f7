"""The bytes of text files: whole, decodable, as UTF-8, in pieces that end with a line."""

import codecs
import gzip
import hashlib
import zlib

import pyarrow as pa

from tfhf.errors import UserError

PIECE = 16 * 2**20  # bytes parsed at a time; no single row may be longer
_BOMS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it starts with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def check_text(path, encoding=None):
    """Reads a text file once and makes sure that all of it can be decoded.

    Args:
        path: the file; `.gz` is unpacked.
        encoding: a Python codec name; None means UTF-8, with or without byte order mark.

    Returns:
        A digest of the bytes, hexadecimal.

    Raises:
        UserError: if the file is empty, damaged, or not in that encoding.
    """
    decoder = _decoder(encoding)
    digest, line, blank = hashlib.blake2b(digest_size=16), 1, True
    for chunk in _raw_chunks(path):
        if line == 1 and encoding is None:
            _refuse_other_unicode(path, chunk)
        try:
            blank = not decoder.decode(chunk).strip("\ufeff \r\n\t") and blank
        except UnicodeDecodeError as error:
            line += error.object[: error.start].count(b"\n")
            raise _not_decodable(path, line, error, encoding) from None
        except UnicodeError as error:  # UTF-16 and UTF-32 without their byte order mark
            raise UserError(
                f"{path} is not {encoding}: {error}; set another data.encoding"
            ) from None
        line += chunk.count(b"\n")
        digest.update(chunk)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise _not_decodable(path, line, error, encoding) from None
    if blank:
        raise UserError(f"{path} is empty")
    return digest.hexdigest()


def open_utf8(path, encoding=None):
    """Opens a checked text file as a binary stream of UTF-8 without byte order mark."""
    stream = _open(path)
    if encoding is not None and codecs.lookup(encoding).name not in ("utf-8", "utf-8-sig"):
        return pa.transcoding_input_stream(pa.PythonFile(stream), encoding, "utf-8")
    if stream.read(3) != codecs.BOM_UTF8:
        stream.seek(0)
    return stream


def line_pieces(path, encoding=None):
    """Yields `(number of the first line, bytes)` for pieces of whole lines, in order."""
    with open_utf8(path, encoding) as stream:
        line, rest = 1, b""
        while chunk := stream.read(PIECE):
            head, newline, tail = chunk.rpartition(b"\n")
            if not newline:
                rest += chunk
                continue
            piece, rest = rest + head + newline, tail
            yield line, piece
            line += piece.count(b"\n")
        if rest:
            yield line, rest


def text_lines(path, encoding=None):
    """Yields record batches of one column `text`, one row per line."""
    for _, piece in line_pieces(path, encoding):
        lines = piece.decode().removesuffix("\n").split("\n")
        yield pa.record_batch({"text": [line.removesuffix("\r") for line in lines]})


def _open(path):
    opener = gzip.open if str(path).lower().endswith(".gz") else open
    return opener(path, "rb")


def _raw_chunks(path):
    try:
        with _open(path) as stream:
            while chunk := stream.read(2**20):
                yield chunk
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise UserError(f"{path}: the gzip file is cut short or damaged; get it again") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None


def _decoder(encoding):
    try:
        decoder = codecs.getincrementaldecoder(encoding or "utf-8")()
        decoder.decode(b"").strip("")  # codecs such as hex make bytes, or take text
        return decoder
    except (LookupError, TypeError, ValueError):
        raise UserError(
            f"data.encoding: unknown encoding {encoding!r}; use a name such as utf-8, latin-1 or "
            "cp1252"
        ) from None


def _refuse_other_unicode(path, start):
    for mark, name in _BOMS.items():
        if start.startswith(mark):
            raise UserError(
                f"{path} is {name.upper()} (it starts with that byte order mark); "
                f"set data.encoding: {name}"
            )

    zeros = start[:200].count(0)
    if zeros > len(start[:200]) / 3:
        name = "utf-16-be" if start[0] == 0 else "utf-16-le"
        raise UserError(
            f"{path}: {zeros} of the first {len(start[:200])} bytes are zero, so it looks like "
            f"UTF-16; set data.encoding: {name}"
        )


def _not_decodable(path, line, error, encoding):
    byte = f"byte 0x{error.object[error.start]:02x} at line {line} is not"
    if encoding is None:
        return UserError(f"{path}: {byte} UTF-8; set data.encoding, for example latin-1 or cp1252")
    return UserError(f"{path}: {byte} {encoding}; set another data.encoding")
