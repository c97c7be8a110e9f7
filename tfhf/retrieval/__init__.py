"""Retrieval: documents → passages → an index on disk → the passages and answers for a question.

    from tfhf import retrieval

    embed = retrieval.Embedder("minilm")
    passages = retrieval.split(retrieval.read_documents("handbook/"), embed)
    index = retrieval.Index.build("handbook.index", passages, embed)
    hits = index.search("How long do refunds take?")
    answer = retrieval.Quoting(embed)("How long do refunds take?", hits)

FAISS and pypdf come with `pip install 'tfhf[retrieval]'`.
"""

from tfhf.retrieval.answering import Answer, Citation, Extractive, Generative, Quoting, reader
from tfhf.retrieval.documents import Document, read_documents
from tfhf.retrieval.embedder import Embedder
from tfhf.retrieval.evaluation import evaluate, read_judgements
from tfhf.retrieval.index import Hit, Index
from tfhf.retrieval.passages import Passage, split
from tfhf.retrieval.reranker import Reranker

__all__ = [
    "Answer",
    "Citation",
    "Document",
    "Embedder",
    "Extractive",
    "Generative",
    "Hit",
    "Index",
    "Passage",
    "Quoting",
    "Reranker",
    "evaluate",
    "read_documents",
    "read_judgements",
    "reader",
    "split",
]
