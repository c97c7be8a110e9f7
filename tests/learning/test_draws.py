"""Random numbers per row: TensorFlow's own Philox, one key at a time, is the reference."""

import numpy as np
import tensorflow as tf

from tfhf.learning import draws

KEYS = [(0, 0), (42, 7), (-1, 2**31 - 1), (1_000_045, 123_456)]


def reference(key, counter, salt):
    """Philox's four words from TensorFlow, whose key and counter are 64-bit words."""
    low, high = (value % 2**32 for value in key)
    words = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[4],
        key=tf.constant([high << 32 | low], tf.uint64),
        counter=tf.constant([salt << 32 | counter, 0], tf.uint64),
        dtype=tf.uint32,
        alg=1,
    )
    return words.numpy()


def test_every_row_draws_what_tensorflow_draws_with_its_key():
    counters = np.array([0, 1, 2, 511, 2**31 - 1])
    for salt in (0, 3):
        found = draws.uniform(tf.constant(KEYS), np.tile(counters, (len(KEYS), 1)), salt)
        for row, key in enumerate(KEYS):
            for place, counter in enumerate(counters.tolist()):
                expected = (reference(key, counter, salt) >> 8) * np.float32(2.0**-24)
                np.testing.assert_array_equal(found[row, place], expected)


def test_draws_are_uniform_and_rows_are_unlike():
    seed = tf.stack([tf.fill([200], 42), tf.range(200)], 1)
    found = draws.uniform(seed, tf.zeros([200, 1], tf.int32) + tf.range(100)).numpy()
    assert found.shape == (200, 100, 4)
    assert found.min() >= 0
    assert found.max() < 1
    counts, _ = np.histogram(found, bins=20, range=(0, 1))
    # 20 bins of 4,000 expected draws: chi-square with 19 degrees of freedom, 0.1 % quantile.
    assert ((counts - 4000) ** 2 / 4000).sum() < 43.8
    assert len(np.unique(found[:, 0, 0])) > 195
    # No row's draws go with the next one's, and no word's with the next.
    assert abs(np.corrcoef(found[:-1, :, 0].ravel(), found[1:, :, 0].ravel())[0, 1]) < 0.03
    assert abs(np.corrcoef(found[..., 0].ravel(), found[..., 1].ravel())[0, 1]) < 0.03
