"""What the verbs say while they work: plain lines on stderr, and the seconds each phase took.

Results (predictions, tables) go to stdout, so that they can be piped; all of this goes to stderr.
"""

import contextlib
import logging
import os
import sys
import tempfile
import time


def say(line):
    """Prints one line on stderr, at once."""
    print(line, file=sys.stderr, flush=True)


def table(head, rows, right=()):
    """Aligns the cells of a table.

    Args:
        head: names of the columns.
        rows: lists of strings, one for each column.
        right: names of the columns that are aligned at their right end, as numbers are.

    Returns:
        A list of lines, the head first.
    """
    cells = [list(head), *rows]
    widths = [max(len(row[place]) for row in cells) for place in range(len(head))]
    return [
        "  ".join(
            f"{cell:>{width}}" if name in right else f"{cell:<{width}}"
            for name, cell, width in zip(head, row, widths, strict=True)
        ).rstrip()
        for row in cells
    ]


class Phases(dict):
    """Seconds spent per phase, by name, in the order the phases ran."""

    @contextlib.contextmanager
    def __call__(self, name, talks=False):
        """Announces a phase, runs the block and says how long it took.

        Args:
            name: what is being done.
            talks: whether the block prints lines of its own.

        Yields:
            A list; lines appended to it are printed with the phase's seconds.
        """
        # The name comes first and alone on its line, so that nobody looks at silence meanwhile.
        print(f"  {name:<22}", end="\n" if talks else "", file=sys.stderr, flush=True)
        start = time.perf_counter()
        found = []
        try:
            yield found
        except BaseException:
            if not talks:
                print(file=sys.stderr, flush=True)
            raise
        seconds = time.perf_counter() - start
        self[name] = round(self.get(name, 0.0) + seconds, 2)
        again = f"  {name:<22}" if talks else ""
        say(f"{again} {seconds:6.1f} s" + (f"  {'; '.join(found)}" if found else ""))


def load_tensorflow():
    """Imports TensorFlow without its announcements; what follows imports it for nothing."""
    # To those who train in TensorFlow on purpose it says nothing that they could mend.
    logging.getLogger("transformers.modeling_tf_utils").addFilter(_advises_nothing)
    with hushed():
        import tensorflow  # noqa: F401


def _advises_nothing(record):
    return "recommend migrating to PyTorch" not in record.getMessage()


@contextlib.contextmanager
def hushed():
    """Holds back what C++ libraries write to stderr while they load; shown if the block fails.

    TensorFlow announces its processor features and the absence of a GPU before any log level is
    read, so the file descriptor itself has to be turned aside.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            aside.seek(0)
            os.write(2, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
