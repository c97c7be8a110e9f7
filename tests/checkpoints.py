"""A checkpoint that is made without TensorFlow: right as far as its files' headers tell."""

import numpy as np

from tfhf.models import tensors

SHAPES = {
    "embeddings.word_embeddings.weight": (98, 16),
    "embeddings.LayerNorm.gamma": (16,),
    "encoder.layer.0.output.dense.bias": (16,),
    "encoder.layer.1.output.dense.bias": (16,),
    "classifier.weight": (2, 16),
    "classifier.bias": (2,),
}


def write_classifier(folder, tokenizer):
    """Writes a BERT classifier of two classes, of whose weights only a few are there.

    Args:
        folder: made if absent.
        tokenizer: the tiny one, of 98 tokens.
    """
    from transformers import BertConfig

    tokenizer.save_pretrained(folder)
    config = BertConfig(
        architectures=["BertForSequenceClassification"],
        vocab_size=98,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=32,
        id2label={0: "negative", 1: "positive"},
    )
    config.save_pretrained(folder)
    zeros = {name: (shape, lambda shape=shape: np.zeros(shape)) for name, shape in SHAPES.items()}
    tensors.write(folder / "model.safetensors", zeros)
    return folder
