"""Passages on disk, found by the cosine of their embeddings: FAISS beside a JSONL file."""

import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from tfhf import storage
from tfhf.errors import UserError, reason
from tfhf.retrieval.embedder import Embedder
from tfhf.retrieval.passages import Passage

AT_ONCE = 10_000  # passages embedded at a time; their tokens are on disk meanwhile


@dataclass(frozen=True)
class Hit:
    """A passage that was found.

    Attributes:
        passage: the Passage.
        score: the cosine with the question, or what a Reranker says in its place.
        number: which passage of the index it is, from 0.
    """

    passage: Passage
    score: float
    number: int


class Index:
    """A folder with the vectors and texts of passages.

    `index.json` names the two files that belong together; it is replaced last, by a rename, so that
    a reader, or a process that was killed, never meets half of an index.

    Args:
        folder: a folder that `build` wrote.
        embedder: the Embedder of its passages; by default it is loaded by the name in the index.

    Attributes:
        passages: a list of Passage.

    Raises:
        UserError: if there is no index, or the embedder is none of its kind.
    """

    def __init__(self, folder, embedder=None):
        faiss = _faiss()
        self.folder = Path(folder)
        about = storage.read_json(self.folder / "index.json")
        if not about:
            raise UserError(f"index: {self.folder} is no index: index.json is missing")
        if embedder is None:
            prefixes = {name: about[name] for name in ("query_prefix", "passage_prefix")}
            embedder = Embedder(about["model"], **prefixes, max_length=about["max_length"])
        if embedder.width != about["width"]:
            raise UserError(
                f"index: {self.folder} was built by {about['model']} with vectors of "
                f"{about['width']} numbers; {embedder.name} has {embedder.width}"
            )
        self.embedder, self.about = embedder, about
        try:
            self._vectors = faiss.read_index(str(self.folder / about["vectors"]))
            stored = (self.folder / about["passages"]).read_bytes().decode("utf-8")
            self.passages = [Passage(**json.loads(line)) for line in stored.split("\n") if line]
        except (OSError, RuntimeError, ValueError, TypeError) as error:
            raise UserError(
                f"index: {self.folder} cannot be read: {reason(error)}; build it again"
            ) from error
        if self._vectors.ntotal != len(self.passages):
            raise UserError(
                f"index: {self.folder} holds {self._vectors.ntotal} vectors and "
                f"{len(self.passages)} passages; build it again"
            )

    @classmethod
    def build(cls, folder, passages, embedder, *, lists=None):
        """Embeds passages and writes an index, in the place of the one that was there.

        Args:
            folder: where to write; made if absent.
            passages: a list of Passage.
            embedder: an Embedder.
            lists: None compares a question with every passage. For millions of passages a number
                of inverted lists, of which a question searches a sixteenth; 4·√n is usual.

        Returns:
            The Index.

        Raises:
            UserError: if there are no passages, or fewer than lists.
            StorageError: if the folder cannot be written.
        """
        faiss, folder, passages = _faiss(), Path(folder), list(passages)
        if not passages:
            raise UserError("index: there are no passages")
        if lists is not None and not 1 <= lists <= len(passages):
            raise UserError(
                f"lists: want 1 to {len(passages)}, the number of passages; received {lists}"
            )
        vectors = _embedded(passages, embedder)
        index = faiss.IndexFlatIP(embedder.width)
        if lists is not None:
            measure = faiss.METRIC_INNER_PRODUCT
            index = faiss.IndexIVFFlat(index, embedder.width, lists, measure)
            index.train(vectors)
            index.nprobe = max(1, lists // 16)
        index.add(vectors)
        cls._write(folder, index, passages, embedder, lists)
        return cls(folder, embedder)

    @staticmethod
    def _write(folder, index, passages, embedder, lists):
        generation = uuid.uuid4().hex[:12]
        before = storage.read_json(folder / "index.json")
        about = {
            "model": _found_again(embedder.name),
            "max_length": embedder.max_length,
            "width": embedder.width,
            "query_prefix": embedder.query_prefix,
            "passage_prefix": embedder.passage_prefix,
            "lists": lists,
            "count": len(passages),
            "vectors": f"vectors-{generation}.faiss",
            "passages": f"passages-{generation}.jsonl",
        }
        lines = [json.dumps(passage.as_dict(), ensure_ascii=False) for passage in passages]
        # As bytes: as text it would lose what looks like an access token, and its offsets.
        storage.write(folder / about["passages"], ("\n".join(lines) + "\n").encode("utf-8"))
        with storage.storing(folder):
            try:
                _faiss().write_index(index, str(folder / about["vectors"]))
            except RuntimeError as error:
                raise OSError(reason(error)) from error
        storage.write_json(folder / "index.json", about)
        for name in ("vectors", "passages"):
            if name in before:
                (folder / before[name]).unlink(missing_ok=True)

    def search(self, question, top_k=5):
        """Finds the passages nearest to a question.

        Args:
            question: a text, or a list of texts.
            top_k: passages per question, at least 1; fewer where the index has fewer.

        Returns:
            A list of Hit, best first; for a list of questions a list of them.

        Raises:
            UserError: if no passage is asked for.
        """
        if top_k < 1:
            raise UserError(f"top_k: want at least 1 passage per question; received {top_k}")
        many = not isinstance(question, str)
        vectors = self.embedder.queries(question if many else [question])
        scores, numbers = self._vectors.search(vectors, min(top_k, len(self.passages)))
        found = [
            # FAISS says -1 where the lists that were searched hold no more.
            [Hit(self.passages[n], float(s), int(n)) for s, n in zip(*pair, strict=True) if n >= 0]
            for pair in zip(scores, numbers, strict=True)
        ]
        return found if many else found[0]


def _embedded(passages, embedder):
    import numpy as np

    parts = [
        embedder.passages([passage.embedded for passage in passages[start : start + AT_ONCE]])
        for start in range(0, len(passages), AT_ONCE)
    ]
    return np.concatenate(parts)


def _found_again(name):
    """A model's name that means the same from any working folder."""
    return os.path.abspath(name) if Path(name).exists() else name


def _faiss():
    try:
        import faiss
    except ImportError as error:
        raise UserError("an index needs FAISS: pip install 'tfhf[retrieval]'") from error
    return faiss
