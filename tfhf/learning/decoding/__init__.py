"""Decoding: text made token by token, as TensorFlow operations alone.

`generation.generate` traces once for all batch sizes and lengths, exports in a SavedModel, and
gives the tokens that transformers' PyTorch `generate` gives: greedy, sampled, or by beam search.
`settings.Generation` says how; it needs no TensorFlow, so tasks import it at their top.

- `generation`: `generate`, the one way in
- `settings`: what may be chosen
- `families`: which models can be decoded
- `stepping`: a model as decoding sees it, with its cache
- `rules`: which tokens may come next
- `loop`, `beams`: greedy and sampled decoding; beam search
- `stops`: strings that end a text
"""
