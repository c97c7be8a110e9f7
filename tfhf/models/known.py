"""Well-known checkpoints that this stack loads: a short guide for where the Hub is out of reach."""

from typing import NamedTuple

ENCODERS = (
    "text_classification",
    "token_classification",
    "question_answering",
    "multiple_choice",
)
WRITERS = ("text2text", "summarization", "translation")


class Known(NamedTuple):
    """A checkpoint.

    Attributes:
        name: its Hub id; `minilm` is built in.
        family: its `model_type`.
        parameters: in millions.
        languages: as its card states them.
        licence: as its card states it.
        trained: tasks that it answers as it is.
        starts: tasks for which it is a start to fine-tune from.
    """

    name: str
    family: str
    parameters: float
    languages: str
    licence: str
    trained: tuple = ()
    starts: tuple = ()


# The Hub's pipeline tag of checkpoints that a task starts from; those it trains have its own.
STARTS = {
    **dict.fromkeys((*ENCODERS, "masked_lm", "embedding"), "fill-mask"),
    **dict.fromkeys(WRITERS, "text2text-generation"),
    "causal_lm": "text-generation",
    "image_classification": "image-feature-extraction",
}

KNOWN = [
    Known(
        *("minilm", "bert", 22.7, "en", "apache-2.0"),
        trained=("embedding", "zero_shot_classification"),
        starts=ENCODERS,
    ),
    Known(
        *("distilbert/distilbert-base-uncased", "distilbert", 67, "en", "apache-2.0"),
        trained=("masked_lm",),
        starts=(*ENCODERS, "embedding"),
    ),
    Known(
        *("google-bert/bert-base-uncased", "bert", 110, "en", "apache-2.0"),
        trained=("masked_lm",),
        starts=(*ENCODERS, "embedding"),
    ),
    Known(
        *("FacebookAI/roberta-base", "roberta", 125, "en", "mit"),
        trained=("masked_lm",),
        starts=ENCODERS,
    ),
    Known(
        *("google-bert/bert-base-multilingual-cased", "bert", 178, "104 languages", "apache-2.0"),
        trained=("masked_lm",),
        starts=ENCODERS,
    ),
    Known(
        *("FacebookAI/xlm-roberta-base", "xlm-roberta", 278, "100 languages", "mit"),
        trained=("masked_lm",),
        starts=ENCODERS,
    ),
    Known(
        *("distilbert/distilbert-base-uncased-finetuned-sst-2-english", "distilbert"),
        *(67, "en", "apache-2.0"),
        trained=("text_classification",),
    ),
    Known(
        *("dslim/bert-base-NER", "bert", 108, "en", "mit"),
        trained=("token_classification",),
    ),
    Known(
        *("distilbert/distilbert-base-cased-distilled-squad", "distilbert", 65, "en", "apache-2.0"),
        trained=("question_answering",),
    ),
    Known(
        *("deepset/roberta-base-squad2", "roberta", 124, "en", "cc-by-4.0"),
        trained=("question_answering",),
    ),
    Known(
        *("facebook/bart-large-mnli", "bart", 407, "en", "mit"),
        trained=("zero_shot_classification",),
    ),
    Known(
        *("sentence-transformers/all-mpnet-base-v2", "mpnet", 109, "en", "apache-2.0"),
        trained=("embedding",),
    ),
    Known(
        *("sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", "bert"),
        *(118, "50 languages", "apache-2.0"),
        trained=("embedding",),
    ),
    Known(
        *("openai-community/gpt2", "gpt2", 124, "en", "mit"),
        trained=("causal_lm",),
        starts=("causal_lm",),
    ),
    Known(
        *("distilbert/distilgpt2", "gpt2", 82, "en", "apache-2.0"),
        trained=("causal_lm",),
        starts=("causal_lm",),
    ),
    Known(
        *("google-t5/t5-small", "t5", 60.5, "en, fr, ro, de", "apache-2.0"),
        trained=WRITERS,
        starts=WRITERS,
    ),
    Known(
        *("google/flan-t5-base", "t5", 248, "en, fr, ro, de", "apache-2.0"),
        trained=("text2text",),
        starts=WRITERS,
    ),
    Known(
        *("facebook/bart-base", "bart", 139, "en", "apache-2.0"),
        starts=("text2text", "summarization"),
    ),
    Known(
        *("facebook/bart-large-cnn", "bart", 406, "en", "mit"),
        trained=("summarization",),
    ),
    Known(
        *("google/vit-base-patch16-224-in21k", "vit", 86.4, "–", "apache-2.0"),
        starts=("image_classification",),
    ),
    Known(
        *("google/vit-base-patch16-224", "vit", 86.6, "–", "apache-2.0"),
        trained=("image_classification",),
        starts=("image_classification",),
    ),
    Known(
        *("microsoft/swin-tiny-patch4-window7-224", "swin", 28.3, "–", "apache-2.0"),
        trained=("image_classification",),
        starts=("image_classification",),
    ),
]
