"""Passages in a better order: a cross-encoder reads question and passage together."""

from dataclasses import replace

from tfhf import data, models, pieces, prediction, tasks
from tfhf.errors import UserError, did_you_mean
from tfhf.run import Run, is_run


class Reranker:
    """A cross-encoder, called with a question and what an Index found.

    Args:
        model: a text classifier of a pair of texts: a Hub id such as
            `cross-encoder/ms-marco-MiniLM-L6-v2`, a folder, or a run of `text_classification`.
        label: of a model with classes the one that means that the passage fits, such as
            `entailment`; a model with a single number needs none.
        max_length: longest pair in tokens; the longer text of it is cut first.
        batch_size: pairs per batch, by default as many as a number of tokens allows.

    Raises:
        UserError: if there is no such model, it reads no pairs, or a label is needed.
    """

    def __init__(self, model, *, label=None, max_length=None, batch_size=None):
        if is_run(str(model)):
            model = Run(model)
        name = model.model if isinstance(model, Run) else model
        source, kind = models.resolve(str(name)), tasks.get("text_classification")
        config = models.load_config(source)
        labels = kind.learned_labels(config)
        if labels is not None and label not in labels:
            raise UserError(
                f"label: {source.name} has the classes {', '.join(labels)}; say which means that "
                f"the passage fits{did_you_mean(label, labels)}; received {label!r}"
            )
        if labels is None and label is not None:
            raise UserError(f"label: {source.name} gives a number; received {label!r}")
        self._class = None if labels is None else labels.index(label)
        roles = kind.saved(config).get("roles", ["text", "text_pair"])
        if "text_pair" not in roles:
            raise UserError(f"reranker: {source.name} was trained on single texts, not on pairs")
        problem = "regression" if labels is None else "single_label"
        processor = kind.load_processor(source)
        longest = max_length or min(512, processor.model_max_length)
        features = kind.features_for(labels, ("text", "text_pair"), problem)
        loaded = pieces.trained(source, kind(processor, features, max_length=longest))
        if loaded.load_report.new:
            raise UserError(f"reranker: {source.name} has no trained head; train it first")
        self._pipeline = prediction.Pipeline(loaded, batch_size)

    def __call__(self, question, hits, top_k=None):
        """Orders hits by how well they fit the question.

        Args:
            question: a text.
            hits: a list of Hit; more of them than are needed in the end, such as 50.
            top_k: how many to keep; all of them by default.

        Returns:
            A list of Hit with the model's scores, best first.
        """
        if not hits:
            return []
        pairs = [{"text": question, "text_pair": hit.passage.text} for hit in hits]
        results = self._pipeline.results(data.from_rows(pairs, self._pipeline.task.inputs))
        scores = results["score"]
        if self._class is not None:
            scores = results["probabilities"][:, self._class]
        scored = [replace(hit, score=float(score)) for hit, score in zip(hits, scores, strict=True)]
        return sorted(scored, key=lambda hit: -hit.score)[:top_k]
