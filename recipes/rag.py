"""Questions answered from your own files, each answer with the place it comes from.

    python recipes/rag.py                                            two small documents of its own
    python recipes/rag.py --documents handbook/ notes.pdf --question "How long do refunds take?"
    python recipes/rag.py --documents handbook/ --reranker cross-encoder/ms-marco-MiniLM-L6-v2 \
        --reader deepset/roberta-base-squad2

Text, Markdown and PDF files are read. Without a reader the sentence nearest to the question is
quoted; a reader is a model for question answering, or one that generates text.
"""

import argparse
from pathlib import Path

from tfhf import retrieval

HANDBOOK = """# Returns
A parcel may be sent back within thirty days. The receipt must lie in it.

## Refunds
Refunds take five working days. They go to the card that was charged.

# Delivery
Parcels are sent every morning at nine. Islands are served on Fridays only.
"""
NOTES = """The warehouse moved to Lyon in March. It stores glass and paper.

Claire leads the night shift. Her telephone number hangs beside the gate.
"""
QUESTIONS = ["How long does a refund take?", "Where is the warehouse?"]


def main(
    folder="runs/rag",
    documents=None,
    questions=QUESTIONS,
    model="minilm",
    reranker=None,
    reader=None,
    max_tokens=100,
    top_k=4,
):
    folder = Path(folder)

    # 1. Documents: text with its headings and pages.
    texts = retrieval.read_documents(documents or write_samples(folder / "documents"))

    # 2. Passages of whole sentences; each knows its file, its place and its heading.
    embed = retrieval.Embedder(model)
    longest = min(max_tokens, embed.max_length - 2)
    passages = retrieval.split(texts, embed, max_tokens=longest, overlap=longest // 5)
    print(f"{len(texts)} documents, {len(passages)} passages")

    # 3. The index: vectors and passages on disk, for this process and later ones.
    index = retrieval.Index.build(folder / "index", passages, embed)

    # 4. Question → passages → answer, and where it stands.
    rerank = retrieval.Reranker(reranker) if reranker else None
    read = retrieval.reader(reader, embed)
    answers = []
    for question in questions:
        hits = index.search(question, top_k=50 if rerank else top_k)
        if rerank:
            hits = rerank(question, hits, top_k)
        answer = read(question, hits)
        print(f"\n{question}\n  {answer.text or 'The documents do not say.'}")
        for citation in answer.citations:
            print(f"  “{citation.quote}”\n  {citation.place()}")
        answers.append(answer)
    return answers


def write_samples(folder):
    """Writes the two small documents."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "handbook.md").write_text(HANDBOOK, encoding="utf-8")
    (folder / "notes.txt").write_text(NOTES, encoding="utf-8")
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default="runs/rag", help="where the index is written")
    parser.add_argument("--documents", nargs="+", help="files or folders")
    parser.add_argument("--question", action="append", dest="questions")
    parser.add_argument("--model", default="minilm", help="an embedding model")
    parser.add_argument("--reranker", help="a cross-encoder")
    parser.add_argument("--reader", help="a model that answers; without one a sentence is quoted")
    parser.add_argument("--max-tokens", type=int, default=100, help="longest passage")
    parser.add_argument("--top-k", type=int, default=4, help="passages the reader gets")
    chosen = vars(parser.parse_args())
    main(**{name: value for name, value in chosen.items() if value is not None})
