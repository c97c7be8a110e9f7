"""Text, Markdown and PDF files → documents whose headings and pages are known."""

import re
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

from tfhf.errors import UserError, reason

TEXT = (".txt", ".text")
MARKDOWN = (".md", ".markdown")
PDF = (".pdf",)
READ = TEXT + MARKDOWN + PDF

HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


@dataclass(frozen=True)
class Document:
    """The text of one file.

    Attributes:
        file: its path.
        text: all of it; of a PDF file what can be extracted, page after page.
        headings: of Markdown, `(start, end, path)` for each heading line: its characters, and the
            headings it stands under joined by ` > `, itself last.
        pages: of a PDF file, the character at which each page begins.
    """

    file: str
    text: str
    headings: tuple = ()
    pages: tuple = ()

    def page(self, position):
        """The page, counted from 1, on which a character stands; None where there are none."""
        return bisect_right(self.pages, position) if self.pages else None


def read_documents(paths):
    """Reads files, or all files of folders that end in .txt, .md or .pdf.

    Args:
        paths: a file, a folder, which is read with the folders in it, or a list of them. Files
            and folders in it whose names begin with a dot are left out.

    Returns:
        A list of Document, in the order given; those of a folder by name.

    Raises:
        UserError: if there is no such file, or one that cannot be read: not UTF-8, damaged,
            encrypted, or without text. It names the file.
    """
    documents = []
    for path in [paths] if isinstance(paths, str | Path) else paths:
        path = Path(path).expanduser()
        if not path.exists():
            raise UserError(f"documents: {path} is no file or folder")
        files = [path]
        if path.is_dir():
            files = sorted(one for one in path.rglob("*") if _belongs(one.relative_to(path)))
            if not files:
                raise UserError(f"documents: no file in {path} ends in {', '.join(READ)}")
        documents += [_read(file) for file in files]
    return documents


def _belongs(path):
    """Whether a file, by its path in a folder, is one to read."""
    return path.suffix.lower() in READ and not any(part.startswith(".") for part in path.parts)


def _read(file):
    suffix = file.suffix.lower()
    if suffix not in READ:
        raise UserError(f"documents: {file}: want a file that ends in {', '.join(READ)}")
    if suffix in PDF:
        return _read_pdf(file)
    try:
        text = file.read_bytes().decode("utf-8-sig")  # line ends as they are: places count them
    except UnicodeDecodeError as error:
        raise UserError(
            f"documents: {file} is not UTF-8 (byte {error.start}); save it as UTF-8"
        ) from error
    except OSError as error:
        raise UserError(f"documents: {file} cannot be read: {error.strerror}") from error
    if not text.strip():
        raise UserError(f"documents: {file} is empty; leave it out")
    headings = tuple(_headings(text)) if suffix in MARKDOWN else ()
    return Document(str(file), text, headings)


def _headings(text):
    """Yields a `(start, end, path)` for each heading line of a Markdown text."""
    lines, position = [], 0
    for line in text.splitlines(keepends=True):
        lines.append((position, line.rstrip("\r\n")))
        position += len(line)
    above, fence, first = [], None, _front_matter(lines)
    for number, (start, line) in enumerate(lines):
        if number < first:
            continue
        opened = FENCE.match(line)
        if opened and (fence is None or opened[1].startswith(fence)):
            fence = opened[1] if fence is None else None
        if fence is not None or opened:
            continue
        found = _heading(lines, number)
        if found is None:
            continue
        level, title, end = found
        above = [one for one in above if one[0] < level] + [(level, title)]
        yield start, end, " > ".join(title for _, title in above if title)


def _front_matter(lines):
    """How many lines at the top of a Markdown file are settings between two lines of `---`."""
    if lines and lines[0][1] == "---":
        for number, (_, line) in enumerate(lines[1:], 2):
            if line == "---":
                return number
    return 0


def _heading(lines, number):
    """Level, title and end of the heading that begins in a line, or None."""
    start, line = lines[number]
    marked = HEADING.match(line)
    if marked:
        return len(marked[1]), (marked[2] or "").strip(), start + len(line)
    # A line of = or - makes a heading of the line above, if that is no list, table or rule.
    if line.strip() and line.strip()[0].isalnum() and number + 1 < len(lines):
        below, underline = lines[number + 1]
        drawn = UNDERLINE.match(underline)
        if drawn and (number == 0 or not lines[number - 1][1].strip()):
            return 1 if drawn[1][0] == "=" else 2, line.strip(), below + len(underline)
    return None


def _read_pdf(file):
    try:
        import pypdf
    except ImportError as error:
        raise UserError(
            f"documents: {file}: PDF files need pypdf: pip install 'tfhf[retrieval]'"
        ) from error
    try:
        reader = pypdf.PdfReader(file)
        if reader.is_encrypted and not reader.decrypt(""):
            raise UserError(f"documents: {file} is encrypted; save it without a password")
        texts = [page.extract_text() for page in reader.pages]
    except UserError:
        raise
    except Exception as error:  # damaged files raise whatever their parts happen to lack
        raise UserError(f"documents: {file} is no readable PDF file: {reason(error)}") from error
    if not any(text.strip() for text in texts):
        raise UserError(
            f"documents: {file} holds no text, only pictures of it; run text recognition on it"
        )
    pages, position = [], 0
    for text in texts:
        pages.append(position)
        position += len(text) + 2
    return Document(str(file), "\n\n".join(texts), pages=tuple(pages))
