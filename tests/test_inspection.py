"""What `tfhf inspect` says of a checkpoint, and whether it fits a task. No TensorFlow."""

import json
import shutil

import pytest
from click.testing import CliRunner

from tests.checkpoints import write_classifier
from tfhf import inspection
from tfhf.cli import main

CARD = """---
license: mit
language: [en, de]
base_model: acme/larger
datasets: acme/reviews
---
A card.
"""
TEXT = """\
model       {folder}
family      bert, BertForSequenceClassification
config      2 layers, 16 wide, 2 heads, 98 rows of embeddings
weights     1,650 parameters, 6.8 MB
                       34  classifier
                       16  embeddings.LayerNorm
                    1,568  embeddings.word_embeddings
                       32  encoder.layer × 2
tokenizer   WordPiece, 98 tokens, reads at most 32 at once
special     [PAD] 0 (pad), [UNK] 1 (unk), [CLS] 2 (cls), [SEP] 3 (sep), [MASK] 4 (mask)
labels      negative, positive
tasks       causal_lm                 TFBertLMHeadModel, new head
            embedding                 TFBertModel
            masked_lm                 TFBertForMaskedLM, new head
            multiple_choice           TFBertForMultipleChoice, new head
            question_answering        TFBertForQuestionAnswering, new head
            text_classification       TFBertForSequenceClassification, trained head
            token_classification      TFBertForTokenClassification, new head
            zero_shot_classification  TFBertForSequenceClassification, trained head
            no class for image_classification, summarization, text2text, translation
card        licence mit; language en, de; base model acme/larger; data acme/reviews
"""


@pytest.fixture
def checkpoint(tiny_tokenizer, tmp_path):
    folder = write_classifier(tmp_path / "checkpoint", tiny_tokenizer)
    (folder / "README.md").write_text(CARD)
    return folder


def inspected(*arguments):
    return CliRunner().invoke(main, ["inspect", *map(str, arguments)])


def test_everything_that_headers_tell(checkpoint):
    size = (checkpoint / "model.safetensors").stat().st_size
    expected = TEXT.format(folder=checkpoint).replace("6.8 MB", f"{size / 1e6:.1f} MB")
    assert inspected(checkpoint).stdout == expected


def test_a_checkpoint_fits_what_its_family_has_a_head_for(checkpoint):
    found = inspected(checkpoint, "--task", "text_classification")
    assert found.exit_code == 0 and found.stdout.endswith("fits        yes\n")
    for task, reason in {
        "translation": "bert has no TFAutoModelForSeq2SeqLM in transformers 4.57",
        "zero_shot_classification": "options.method: entailment needs a model, or data, with a "
        "class whose name begins with 'entail'; the classes are negative, positive",
    }.items():
        found = inspected(checkpoint, "--task", task)
        assert found.exit_code == 2
        assert found.stdout.endswith("fits        no\n")
        assert found.stderr == f"tfhf: {checkpoint} does not fit {task}: {reason}\n"
    assert inspected(checkpoint, "--task", "translatoin").stderr.startswith(
        "tfhf: task: unknown task 'translatoin'; did you mean 'translation'?"
    )


def test_what_is_missing_or_damaged_is_a_note(checkpoint):
    (checkpoint / "model.safetensors").rename(
        checkpoint / "pytorch_model.bin"
    )  # it is no such file
    for file in ("tokenizer.json", "vocab.txt"):
        (checkpoint / file).unlink()
    (checkpoint / "README.md").write_text("---\n- a list\n---\n")
    found = inspection.inspect(checkpoint, "masked_lm")
    assert (found["parameters"], found["tokenizer"], found["card"]) == (None, None, {})
    pickled, no_tokenizer, no_card = found["notes"]
    assert pickled.startswith(
        f"{checkpoint / 'pytorch_model.bin'} is damaged, or torch.save did not"
    )
    assert no_tokenizer == f"model: no tokenizer in {checkpoint} (want tokenizer.json)"
    assert no_card == f"model: the head of {checkpoint / 'README.md'} is no YAML of keys and values"
    assert found["fits"] == no_tokenizer
    lines = inspection.text(found).splitlines()
    assert "weights     parameters unknown" in lines and "card        none" in lines


def test_a_setting_that_tensorflow_ignores_does_not_fit(checkpoint):
    config = json.loads((checkpoint / "config.json").read_text())
    config["position_embedding_type"] = "relative_key"
    (checkpoint / "config.json").write_text(json.dumps(config))
    assert inspection.inspect(checkpoint, "masked_lm")["fits"] == (
        f"model: {checkpoint} has position_embedding_type 'relative_key', and TensorFlow's bert "
        "knows 'absolute' alone; take another checkpoint"
    )


def test_a_run_is_its_model_and_its_card(checkpoint, tmp_path):
    run = tmp_path / "run"
    (run / "model").parent.mkdir()
    shutil.copytree(checkpoint, run / "model")
    (run / "model" / "README.md").unlink()
    for name in ("recipe.yaml", "environment.json"):
        (run / name).write_text("{}")
    (run / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    found = inspection.inspect(run)
    assert found["model"] == str(run)
    assert found["card"] == {"license": "apache-2.0"}


def test_long_lists_are_cut(checkpoint):
    config = json.loads((checkpoint / "config.json").read_text())
    config["id2label"] = {str(index): f"class {index}" for index in range(20)}
    config["label2id"] = {f"class {index}": index for index in range(20)}
    (checkpoint / "config.json").write_text(json.dumps(config))
    line = next(line for line in inspected(checkpoint).stdout.splitlines() if "labels" in line)
    assert line.endswith("class 10, class 11 and 8 more")
