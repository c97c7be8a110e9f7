"""Random numbers drawn anew for every row of a batch: Philox, with one key per row.

TensorFlow's stateless operations take one seed for a whole tensor, so rows with seeds of their own
would have to be drawn one after the other. The generator behind them is a pure function of (key,
counter), and a few integer operations on the whole batch compute it.

Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox4x32-10), which is
also what `tf.random.stateless_uniform` uses.
"""

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
LOW = 0xFFFFFFFF


def uniform(seed, counters, salt=0):
    """Draws four uniform numbers for every counter of every row.

    Args:
        seed: `(B, 2)` int tensor, a row's key.
        counters: `(B, N)` int tensor, 0 or more: which of a row's draws; the same counter under
            the same key gives the same numbers, whatever stands beside it in the batch.
        salt: an int, to draw again for the same counters.

    Returns:
        `(B, N, 4)` float32 tensor, in [0, 1), in steps of 2^-24.
    """
    import tensorflow as tf

    key = tf.bitwise.bitwise_and(tf.cast(seed, tf.int64), LOW)
    counters = tf.cast(counters, tf.int64)
    zeros = tf.zeros_like(counters)
    words = philox(key[:, 0, None], key[:, 1, None], (counters, zeros + salt, zeros, zeros))
    # 24 bits are what a float32 holds exactly.
    return tf.stack([tf.cast(word // 256, tf.float32) for word in words], -1) * 2.0**-24


def philox(key_0, key_1, counter):
    """Philox4x32-10.

    Args:
        key_0, key_1: the key's two words: int64 tensors with values in [0, 2^32).
        counter: its four words, likewise; all of them broadcast against each other.

    Returns:
        Four random words, likewise.
    """
    import tensorflow as tf

    def low(value):
        return tf.bitwise.bitwise_and(value, tf.constant(LOW, tf.int64))

    def high(value):
        # The sign bit of the product is a digit like any other; the mask takes its copies away.
        return low(tf.bitwise.right_shift(value, tf.constant(32, tf.int64)))

    a, b, c, d = counter
    for _ in range(ROUNDS):
        # 64 bits of an unsigned product; int64 wraps around, which leaves the bits as they are.
        first, second = a * MULTIPLIERS[0], c * MULTIPLIERS[1]
        a, b, c, d = (
            tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(high(second), b), key_0),
            low(second),
            tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(high(first), d), key_1),
            low(first),
        )
        key_0, key_1 = low(key_0 + KEY_STEPS[0]), low(key_1 + KEY_STEPS[1])
    return a, b, c, d
