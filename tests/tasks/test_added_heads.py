"""Heads that tfhf adds, from rows to served answers by the tasks as they are."""

import pytest

from tests.conftest import toy_rows
from tests.tasks.check import check_task
from tests.toys import embedding, question_answering, token_classification
from tfhf.models import save_backbone
from tfhf.models.loading import from_config

DECODER = {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 48}
OPT = {
    **{"hidden_size": 16, "word_embed_proj_dim": 16, "num_hidden_layers": 1, "ffn_dim": 24},
    **{"num_attention_heads": 2, "max_position_embeddings": 48},
}
T5 = {
    **{"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 1, "num_heads": 2},
    **{"decoder_start_token_id": 0},
}
FAMILIES = {"gpt2": DECODER, "opt": OPT, "t5": T5}


def label_sets(count):
    """Rows with any number of classes, as several 0/1 columns would give them."""
    return [
        row | {"label": [name for bit, name in enumerate("abc") if index * 5 >> bit & 1]}
        for index, row in enumerate(toy_rows(count))
    ]


@pytest.fixture
def body(tiny_tokenizer, tmp_path):
    """`body(family)`: a folder with a tiny body of the family, and a tokenizer that ends texts."""
    from transformers import AutoConfig, PreTrainedTokenizerFast

    def made(family):
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=tiny_tokenizer.backend_tokenizer,
            **{"pad_token": "[PAD]", "unk_token": "[UNK]", "eos_token": "[SEP]"},
            **{"cls_token": "[CLS]", "model_max_length": 48},
            model_input_names=["input_ids", "attention_mask"],
        )
        special = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
        config = AutoConfig.for_model(
            family, vocab_size=len(tokenizer), **FAMILIES[family], **special
        )
        backbone = from_config(config, "TFAutoModel")
        backbone.build_in_name_scope()
        save_backbone(backbone, tokenizer, tmp_path / "body")
        return str(tmp_path / "body")

    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "task", "rows", "options", "architecture"),
    [
        ("gpt2", "token_classification", token_classification.rows(count=12), {"max_length": 24},
         "GPT2ForTokenClassification"),
        ("opt", "question_answering", question_answering.rows(count=12),
         {"max_length": 40, "stride": 8}, "OPTForQuestionAnswering"),
        ("t5", "text_classification", label_sets(16), {"max_length": 24},
         "T5ForSequenceClassification"),
        ("t5", "embedding", embedding.anchored(16), {"max_length": 24}, "T5EncoderModel"),
    ],
)  # fmt: skip
def test_from_rows_to_served_answers(family, task, rows, options, architecture, body, tmp_path):
    recipe = {"model": body(family), "options": options}
    model, _, _ = check_task(task, recipe, rows, tmp_path)
    assert type(model.backbone).__name__ == f"TF{architecture}"
