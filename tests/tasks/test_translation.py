"""Models of many languages: what stands around their texts, and how they begin to write."""

import json

import pytest
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers import models as tokenizer_models
from transformers import (
    MBart50TokenizerFast,
    MBartConfig,
    MBartTokenizerFast,
    T5Config,
    TFMBartForConditionalGeneration,
)

from tfhf import models, pieces, prediction, preparation
from tfhf.console import Phases
from tfhf.errors import UserError
from tfhf.learning.decoding.settings import Generation
from tfhf.recipe import Recipe
from tfhf.tasks.translation import Translation

WORDS = ("one", "two", "three", "eins", "zwei", "drei")


def mbart_tokenizer(kind):
    """A tokenizer of six words, with mBART's languages around its texts."""
    entries = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    entries += [*((f"▁{word}", -2.0) for word in WORDS), ("▁", -3.0)]
    inner = Tokenizer(tokenizer_models.Unigram(entries, unk_id=3))
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    return kind(tokenizer_object=inner, src_lang="ro_RO", tgt_lang="fr_XX", model_max_length=40)


@pytest.fixture(scope="module", params=[MBartTokenizerFast, MBart50TokenizerFast])
def translator(request, tmp_path_factory):
    """A model fresh from a recipe, and its folder once it was saved."""
    folder, tokenizer = tmp_path_factory.mktemp("mbart"), mbart_tokenizer(request.param)
    config = MBartConfig(
        vocab_size=len(tokenizer) + 3, d_model=16, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=24,
        decoder_ffn_dim=24, max_position_embeddings=64, decoder_start_token_id=2,
    )  # fmt: skip
    backbone = TFMBartForConditionalGeneration(config)
    backbone.build_in_name_scope()
    models.save_backbone(backbone, tokenizer, folder / "checkpoint")
    rows = [{"source": "one two", "target": "eins zwei"}] * 8
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = Recipe.load(
        {
            "task": "translation",
            "model": str(folder / "checkpoint"),
            "data": {"train": str(file), "validation": str(file)},
            "options": {
                "max_length": 16,
                "source_language": "en_XX",
                "target_language": "de_DE",
                "generation": {"max_new_tokens": 6, "num_beams": 1},
            },
        }
    )
    prepared = preparation.prepare(recipe, Phases())
    model = pieces.trained(prepared.source, prepared.task)
    model.save_pretrained(folder / "trained")
    return model, folder / "trained"


def is_50(tokenizer):
    return isinstance(tokenizer, MBart50TokenizerFast)


def test_texts_are_read_as_the_tokenizer_reads_them(translator):
    task, tokenizer = translator[0].task, translator[0].task.processor
    found = task.encode({"source": ["one two"], "target": [["eins zwei"]]})
    sides = [("input_ids", "en_XX", ["▁one", "▁two"]), ("label", "de_DE", ["▁eins", "▁zwei"])]
    for name, language, words in sides:
        around = [language, *words, "</s>"] if is_50(tokenizer) else [*words, "</s>", language]
        assert tokenizer.convert_ids_to_tokens(found[name][0]) == around


def test_writing_begins_with_the_language(translator):
    task, tokenizer = translator[0].task, translator[0].task.processor
    german = tokenizer.convert_tokens_to_ids("de_DE")
    begins = task.decoding.decoder_start_token_id, task.decoding.forced_bos_token_id
    assert begins == ((2, german) if is_50(tokenizer) else (german, None))
    (answer,) = prediction.Pipeline(translator[0])(
        ["one two"], return_tensors=True, max_new_tokens=2
    )
    written = answer["translation_token_ids"]
    assert written[1 if is_50(tokenizer) else 0] == german


def test_languages_come_back_from_a_saved_model(translator):
    again = prediction.pipeline("translation", str(translator[1])).task
    task = translator[0].task
    assert (again.source_language, again.target_language) == ("en_XX", "de_DE")
    assert (again.start, again.decoding) == (task.start, task.decoding)
    assert again.encode({"source": ["one"]}) == task.encode({"source": ["one"]})


def test_a_call_may_name_other_languages(translator):
    ask = prediction.pipeline("translation", str(translator[1]))
    named = prediction.pipeline("translation_de_DE_to_en_XX", str(translator[1]))
    before = ask.task.encode({"source": ["eins"]})
    found = ask("eins", src_lang="de_DE", tgt_lang="en_XX", return_tensors=True, max_new_tokens=3)
    assert found == named("eins", return_tensors=True, max_new_tokens=3)
    assert ask.task.encode({"source": ["eins"]}) == before  # the next call is none of that one's
    assert named.task.encode({"source": ["eins"]}) != before
    with pytest.raises(UserError) as caught:
        ask("eins", tgt_lang="en_XY")
    assert str(caught.value).startswith("tgt_lang: the model knows a")
    assert str(caught.value).endswith("received 'en_XY'; did you mean 'en_XX'?")


def test_a_prefix_tells_a_model_without_codes_its_languages(tiny_tokenizer):
    tiny_tokenizer.checkpoint = T5Config(
        task_specific_params={"translation_en_to_fr": {"prefix": "translate to French: "}}
    )
    try:
        task = Translation(tiny_tokenizer, None, max_length=16, source_language="en")
        task.decided, task.decoding = (None, {}), Generation()
        assert task.configured(tgt_lang="fr")[0].prefix == "translate to French: "
        with pytest.raises(UserError) as caught:
            task.configured(tgt_lang="de")
    finally:
        del tiny_tokenizer.checkpoint
    assert str(caught.value) == (
        "src_lang, tgt_lang: the model's config knows no translation_en_to_de; leave them out "
        "where a model translates between two languages only"
    )
