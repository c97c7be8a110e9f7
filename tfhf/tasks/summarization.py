"""Long texts into short ones."""

from tfhf.tasks.text2text import Text2Text


class Summarization(Text2Text):
    """A text becomes its summary; scored by ROUGE against one or several references.

    Args:
        **options: those of `Text2Text`.
    """

    architectures = ()
    pipelines = ("summarization",)
    default_model = ("sshleifer/distilbart-cnn-12-6", "a4f8f3e")
    monitor = "rougeL"
    answer = "summary_text"

    @property
    def metric_names(self):
        return ("rouge1", "rouge2", "rougeL", "rougeLsum")

    def score(self, rows, results):
        from tfhf.learning import text_metrics

        found = text_metrics.Rouge().compute(**self._pairs(rows, results))
        return found | self._lengths(results)
