"""Toy rows for text2text: short phrases, said shorter."""

from tests.conftest import toy_rows

OPTIONS = {
    "options.max_length": 16,
    "options.max_target_length": 8,
    "options.generation": {"num_beams": 1, "max_new_tokens": 6},
}


def rows(name):
    return [{"source": row["text"], "target": row["label"][:3]} for row in toy_rows(18)]


def model(tiny_bert_folder, folder):
    """A BART of one layer each, with the tiny BERT's tokenizer."""
    import tf_keras
    from transformers import AutoTokenizer, BartConfig, TFBartForConditionalGeneration

    from tfhf import models

    tf_keras.utils.set_random_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert_folder)
    config = BartConfig(
        vocab_size=len(tokenizer),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=32,
        init_std=0.2,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
        decoder_start_token_id=tokenizer.sep_token_id,
        forced_eos_token_id=None,
    )
    backbone = TFBartForConditionalGeneration(config)
    backbone.build_in_name_scope()
    models.save_backbone(backbone, tokenizer, folder)
    return folder
