"""From the bytes of image files to what a vision model reads, as TensorFlow ops.

What pillow and transformers' image processors do, with ops that TensorFlow Serving links. JPEG
decoders and resizing filters round differently, by one or two of 255 steps.
"""

import tensorflow as tf

from tfhf.errors import UserError

_SEARCHED = 1 << 16  # bytes in which a camera's notes about a photo begin
_LUMA = [[0.299], [0.587], [0.114]]  # ITU-R 601-2, as pillow makes grey of colours
_METHODS = {1: "lanczos3", 2: "bilinear", 3: "bicubic"}  # pillow's number → TensorFlow's name


def obstacle(processor):
    """Why an image processor has no such form, in one line; None where it has."""
    kind = type(processor).__name__.removesuffix("Fast")
    if kind not in _SIZES:
        return f"image processors that can be exported are {', '.join(_SIZES)}; received {kind}"
    if processor.do_resize and int(processor.resample) not in _METHODS:
        return f"its image processor's resample must be 1, 2 or 3; received {processor.resample}"
    return None


def pixels(files, processor, *, channels):
    """Decodes, resizes and crops images.

    Args:
        files: `(B,)` string, the bytes of JPEG, PNG, GIF or BMP files.
        processor: an image processor of transformers for which there is no `obstacle`.
        channels: 1 for grey, 3 for colours.

    Returns:
        `(B, H, W, channels)` uint8.

    Raises:
        UserError: if the processor leaves images of different sizes.
    """
    problem = obstacle(processor)
    if problem:
        raise UserError(problem)
    sizes = _SIZES[type(processor).__name__.removesuffix("Fast")]
    height, width = sizes(processor)[1]
    shape = tf.TensorSpec([height, width, channels], tf.uint8)

    def read(file):
        image = upright(decoded(file), file)
        if channels == 1:
            image = _rounded(tf.tensordot(tf.cast(image, tf.float32), _LUMA, 1))
        resized = _resized(image, processor, sizes)
        return tf.ensure_shape(_cropped(resized, height, width), shape.shape)

    return tf.map_fn(read, files, fn_output_signature=shape)


def decoded(file):
    """The picture in a file: scalar string → `(H, W, 3)` uint8."""
    return tf.cond(
        tf.io.is_jpeg(file),
        # The fast transform is up to ten steps away from pillow's.
        lambda: tf.io.decode_jpeg(file, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(file, channels=3, expand_animations=False),
    )


def upright(image, file):
    """Turns a photo the way its camera was held, as the EXIF notes in its file tell.

    Args:
        image: `(H, W, C)`.
        file: scalar string, the bytes of the file.

    Returns:
        The image, `(H, W, C)` or `(W, H, C)`.

    Source: CIPA DC-008, "Exif", tag 0x0112, orientation 1 to 8.
    """
    orientation = _orientation(file)
    transposed = orientation > 4
    image = tf.cond(transposed, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    top_down = tf.reduce_any(orientation == [3, 4, 7, 8])
    left_right = tf.reduce_any(orientation == [2, 3, 6, 7])
    image = tf.cond(top_down, lambda: image[::-1], lambda: image)
    return tf.cond(left_right, lambda: image[:, ::-1], lambda: image)


def _orientation(file):
    """The number 1 to 8 in the EXIF notes of a JPEG, 1 where there is none."""
    start = tf.io.decode_raw(tf.strings.substr(file, 0, _SEARCHED), tf.uint8)
    found = _after(start, b"Exif\x00\x00")
    little = _after(start, b"\x12\x01\x03\x00\x01\x00\x00\x00")
    big = _after(start, b"\x01\x12\x00\x03\x00\x00\x00\x01\x00")
    padded = tf.concat([tf.cast(start, tf.int32), [1]], 0)
    size = tf.size(start)
    place = tf.where(little < size, little, big)
    number = tf.gather(padded, tf.where(found < place, tf.minimum(place, size), size))
    return tf.where((number >= 1) & (number <= 8), number, 1)


def _after(values, pattern):
    """The place behind the first occurrence of some bytes; the number of values if there is none.

    Args:
        values: `(N,)` uint8.
        pattern: bytes.
    """
    size = tf.size(values)
    places = tf.maximum(size - len(pattern) + 1, 0)
    same = tf.fill([places], True)
    for number, value in enumerate(pattern):
        same &= values[number : number + places] == value
    found = tf.concat([tf.where(same)[:, 0], [tf.cast(size, tf.int64)]], 0)[0]
    return tf.minimum(tf.cast(found, tf.int32) + len(pattern), size)


def _resized(image, processor, sizes):
    if not processor.do_resize:
        return image
    height, width = sizes(processor, tf.shape(image)[0], tf.shape(image)[1])[0]
    method = _METHODS[int(processor.resample)]
    return _rounded(tf.image.resize(image, [height, width], method, antialias=True))


def _rounded(values):
    return tf.cast(tf.clip_by_value(tf.round(values), 0.0, 255.0), tf.uint8)


def _cropped(image, height, width):
    """The middle of an image, filled up with black where it is too small."""
    shape = tf.shape(image)
    missing = tf.maximum([height, width] - shape[:2], 0)
    before = (missing + 1) // 2
    sides = tf.concat([tf.stack([before, missing - before], 1), [[0, 0]]], 0)
    image = tf.pad(image, sides)
    top, left = tf.unstack((tf.shape(image)[:2] - [height, width]) // 2)
    return image[top : top + height, left : left + width]


def _square(processor, *_):
    size = (processor.size["height"], processor.size["width"])
    return size, size


def _square_then_cropped(processor, *_):
    size, crop = processor.size, processor.crop_size
    resized = (size["height"], size["width"])
    return resized, (crop["height"], crop["width"]) if processor.do_center_crop else resized


def _shortest_edge(processor, height=None, width=None):
    """ConvNeXt's: the shorter side counts, a part of the middle is kept; large ones are squared."""
    edge = processor.size["shortest_edge"]
    if edge >= 384 or height is None:
        return (edge, edge), (edge, edge)
    short = int(edge / processor.crop_pct)
    long = short * tf.maximum(height, width) // tf.minimum(height, width)
    upright_image = width <= height
    resized = (tf.where(upright_image, long, short), tf.where(upright_image, short, long))
    return resized, (edge, edge)


# Image processor → a function that gives the size resized to, and the size kept of that.
_SIZES = {
    "ViTImageProcessor": _square,
    "DeiTImageProcessor": _square_then_cropped,
    "ConvNextImageProcessor": _shortest_edge,
}
