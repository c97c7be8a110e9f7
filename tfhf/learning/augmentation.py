"""Random changes to batches of images, drawn from stateless seeds: the same for the same seeds.

Shapes: B images, C channels, H and W pixels. Values are those of pixels, 0 to 255.
"""

LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue, as ITU-R BT.601 weighs them
LARGEST_ASPECT = 4 / 3  # of a crop; the smallest is its inverse


def augment(images, seeds, *, min_crop=1.0, shift=0.0, flip=False, jitter=0.0):
    """Crops, shifts, mirrors and recolours each image at random.

    Args:
        images: `(B, H, W, C)` uint8 or float32; H, W and C are known when the graph is made.
        seeds: `(B, 2)` int32; each image's changes are a function of its own seed alone.
        min_crop: smallest part of the area that is kept and enlarged to the whole, in (0, 1]; 1
            crops nothing. The crop's aspect lies between 3:4 and 4:3.
        shift: farthest move up, down, left or right as a part of H or W, in [0, 1); what comes
            in from outside repeats the edge.
        flip: whether half of the images are mirrored left to right.
        jitter: brightness, contrast and saturation are each multiplied by a number between
            1 - jitter and 1 + jitter, in [0, 1).

    Returns:
        `(B, H, W, C)` float32.

    Source: crops as in Szegedy et al. 2015, "Going Deeper with Convolutions", section 6; colours
        as in Howard 2013, "Some Improvements on Deep Convolutional Neural Network Based Image
        Classification".
    """
    import tensorflow as tf

    from tfhf.learning.draws import uniform

    counters = tf.tile(tf.range(3)[None], [tf.shape(seeds)[0], 1])
    draws = tf.unstack(tf.reshape(uniform(seeds, counters), [-1, 12]), axis=1)
    images = tf.cast(images, tf.float32)
    if min_crop < 1 or shift or flip:
        mirrored = draws[6] < (0.5 if flip else 0.0)
        images = _cut_out(images, *_boxes(draws[:6], min_crop, shift), mirrored)
    if jitter:
        images = _recoloured(images, [1 + jitter * (2 * draw - 1) for draw in draws[7:10]])
    return images


def _boxes(draws, min_crop, shift):
    """Height, width, top and left edge of what is kept, `(B,)` each, as parts of H and W."""
    import math

    import tensorflow as tf

    area = min_crop + (1 - min_crop) * draws[0]
    # Without a crop the aspect stays as it is, too.
    aspect = tf.exp((2 * draws[1] - 1) * (math.log(LARGEST_ASPECT) if min_crop < 1 else 0.0))
    height = tf.minimum(tf.sqrt(area / aspect), 1.0)
    width = tf.minimum(tf.sqrt(area * aspect), 1.0)
    top = draws[2] * (1 - height) + shift * (2 * draws[4] - 1)
    left = draws[3] * (1 - width) + shift * (2 * draws[5] - 1)
    return height, width, top, left


def _cut_out(images, height, width, top, left, mirrored):
    """Enlarges a part of each `(B, H, W, C)` image to H by W, bilinearly; mirrors some."""
    import tensorflow as tf

    size = images.shape[1:3]
    none = tf.zeros_like(top)
    # Pixel x of the result is pixel `across * x + right` of the image; the middle of the first
    # pixel stands half a pixel behind the edge.
    down = top * size[0] + (height - 1) / 2
    right = left * size[1] + (width - 1) / 2
    right = tf.where(mirrored, right + width * (size[1] - 1), right)
    across = tf.where(mirrored, -width, width)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([across, none, right, none, height, down, none, none], 1),
        output_shape=size,
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def _recoloured(images, factors):
    """Brightness, contrast and saturation of `(B, H, W, C)` images times `(B,)` factors each."""
    import tensorflow as tf

    brightness, contrast, saturation = (factor[:, None, None, None] for factor in factors)
    images = tf.clip_by_value(images * brightness, 0.0, 255.0)
    mean = tf.reduce_mean(_grey(images), [1, 2], keepdims=True)
    images = tf.clip_by_value(mean + (images - mean) * contrast, 0.0, 255.0)
    grey = _grey(images)
    return tf.clip_by_value(grey + (images - grey) * saturation, 0.0, 255.0)


def _grey(images):
    """`(B, H, W, 1)` luminance of images with one or three channels."""
    import tensorflow as tf

    weights = LUMINANCE if images.shape[-1] == 3 else (1.0,)
    return tf.reduce_sum(images * tf.constant(weights), -1, keepdims=True)
