"""Whether a tokenizer in TensorFlow ops gives the ids of the Hugging Face one."""

import tensorflow as tf

# Each line shows a rule that is easy to get wrong.
HARD_TEXTS = (
    "",
    " ",
    " \t\r\n\v\f ",
    "\x00",
    "nul\x00inside and \x1f control \x7f \x85 characters",
    "\ufeffbyte order mark\ufeff",
    "soft\u00adhyphen zero\u200bwidth\u200djoiner word\u2060joiner",
    "no-break\u00a0space thin\u2009space ideographic\u3000space line\u2028separator",
    "replacement \ufffd character\ufffd",
    "Don't stop-believing; it's 3.14% of $1,000.00!!! (really?) #hash @at ^caret `tick` ~",
    "İstanbul ISPARTA ığdır ẞ Straße ſharp ΣΊΣΥΦΟΣ ὈΔΥΣΣΕΎΣ ᾼ ǅungla Ǆ",
    "naïve café Ångström Å Å re\u0301sume\u0301 Ŵ ệ ạ\u0302\u0323 q\u0323\u0307 q\u0307\u0323",
    "Z\u0351\u036b\u0343a\u0324\u0353l\u0321\u0334g\u0357\u0358o\u0489 \u0301alone a\u034fb",
    "ﬁne eﬀect ﬃ ŉ ½ ² ™ ① Ⅷ ㎏ ｆｕｌｌ　ｗｉｄｔｈ ﷺ",
    "東京は日本の首都です。ひらがな カタカナ 豈更 \u3400\U00020000\U0002f800",
    "한국어 각\u1100\u1161\u11a8 한\u302e\u302f글 조선",
    "हिन्दी বাংলা தமிழ் ไทย ខ្មែរ မြန်မာ אָלֶף عَرَبِيّ \u202eright-to-left\u202c",
    "\U0001d15e \U0001d165\U0001d16d\U0001d16e \u1b13\u1b44\u1b01 \ua953 \U000111c0",
    "👩‍👩‍👧‍👦 👍🏽 🇩🇪 ❤️ 🏴󠁧󠁢󠁳󠁣󠁴󠁿 ☺︎ 1️⃣",
    "\ufdd0 \uffff \U0001fffe \ue000 \U000f0000 \U0010fffd\U0010fffc \U0010ffff \u0378 \U000e0001",
    "x\U0010fffdx \U0010fffc",
    "[CLS] [SEP] [MASK] [PAD] [UNK]",
    "pre[MASK]fix [ MASK ] [mask] [Mask] [[MASK]] [MASK][MASK] a[SEP]b[CLS",
    "[SE\x00P] [SE\U0010fffdP] [CL\u0301S] <s> </s> <pad> <mask> ##ing ## #",
    "a" * 99 + " " + "b" * 100 + " " + "c" * 101 + " " + "d" * 200,
    "é" * 100 + " " + "e\u0301" * 101 + " " + "東" * 101,
    "supercalifragilisticexpialidocious antidisestablishmentarianism Donaudampfschifffahrt",
    "https://example.org/a_b?c=d&e=%20f#g user@example.com C:\\path\\file.txt <b>html</b> &amp;",
    "a" * 2000,
    "word " * 700,
    "!" * 600,
)


def differences(graph_tokenizer, tokenizer, texts, text_pairs=None, *, max_length, batch_size=64):
    """Tokenizes texts both ways.

    Args:
        graph_tokenizer: what `in_graph(tokenizer)` returned.
        tokenizer: a `PreTrainedTokenizerFast`.
        texts: list of strings.
        text_pairs: list of as many second texts, or None.
        max_length: longest row, in tokens.
        batch_size: rows tokenized together, and padded to the longest of them.

    Returns:
        list of the row numbers whose ids, attention mask or token types differ.
    """
    columns = [texts] if text_pairs is None else [texts, text_pairs]
    tokenize = tf.function(
        lambda *strings: graph_tokenizer(*strings, max_length=max_length),
        input_signature=[tf.TensorSpec([None], tf.string)] * len(columns),
    )
    different = []
    for start in range(0, len(texts), batch_size):
        batch = [column[start : start + batch_size] for column in columns]
        expected = tokenizer(*batch, truncation=True, padding=True, max_length=max_length)
        found = {name: tensor.numpy().tolist() for name, tensor in tokenize(*batch).items()}
        different += [
            start + row
            for row in range(len(batch[0]))
            if any(found[name][row] != expected[name][row] for name in found)
        ]
    return different
