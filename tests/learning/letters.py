"""A tokenizer of single letters, made the same way in tfhf's and in PyTorch's environment."""

LETTERS = "abcdefghijklmnopqrstuvwxyz.,!? éABCDE"
TEMPLATE = (
    "{% for m in messages %}{{ m['role'][0] + '!' + m['content'] }}"
    "{% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}.{% endfor %}"
    "{% if add_generation_prompt %}a!{% endif %}"
)


def tokenizer():
    """40 tokens: unknown 0, padding 1, end of text 2, then the letters."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    entries = ["<unk>", "<pad>", "</s>", *LETTERS]
    inner = Tokenizer(models.WordLevel({e: i for i, e in enumerate(entries)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    inner.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="<unk>",
        pad_token="<pad>",
        eos_token="</s>",
        bos_token="</s>",
        model_max_length=32,
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
