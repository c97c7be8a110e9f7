"""Texts → unit vectors, by any embedding model."""

from tfhf import data, prediction, tasks


class Embedder:
    """An embedding model, called with texts.

    Args:
        model: `minilm`, a Hub id, a folder (of sentence-transformers, too), a run of the task
            `embedding`, or a `tfhf.Model` of that task.
        batch_size: texts per batch, by default as many as a number of tokens allows; texts of like
            lengths share one.
        query_prefix, passage_prefix: what the model was trained to see before a question and before
            a passage, such as `query: ` and `passage: ` of the E5 models.
        **options: the task's options, such as `max_length=512`.

    Attributes:
        name: what the model was called.
        tokenizer: its tokenizer.
        max_length: longest text it reads, in tokens, special tokens included; longer ones are cut.
        width: numbers in a vector.

    Raises:
        UserError: if there is no such model.
    """

    def __init__(
        self, model="minilm", *, batch_size=None, query_prefix="", passage_prefix="", **options
    ):
        self.name = "the model"
        if not hasattr(model, "task"):
            self.name = str(getattr(model, "folder", model))
            model = prediction.load(model, tasks.get("embedding"), None, options)
        self._pipeline = prediction.Pipeline(model, batch_size)
        self.tokenizer, self.max_length = model.task.processor, model.task.max_length
        self.width = model.backbone.config.hidden_size
        self.query_prefix, self.passage_prefix = query_prefix, passage_prefix

    def __call__(self, texts):
        """Embeds texts as they are.

        Args:
            texts: a list of n texts.

        Returns:
            `(n, D)` float32 array of vectors of length 1: their inner product is the cosine.
        """
        import numpy as np

        texts = list(texts)
        if not texts:
            return np.zeros((0, self.width), np.float32)
        rows = data.from_rows(texts, self._pipeline.task.inputs)
        vectors = self._pipeline.results(rows)["embedding"]
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.maximum(lengths, np.finfo(np.float32).tiny)

    def queries(self, texts):
        """Embeds questions; see `__call__`."""
        return self([self.query_prefix + text for text in texts])

    def passages(self, texts):
        """Embeds passages; see `__call__`."""
        return self([self.passage_prefix + text for text in texts])
