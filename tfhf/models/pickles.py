"""Pickles of PyTorch tensors, read by a machine that knows nothing else. Nothing of them is run.

A pickle is a program. Python's own reader would import whatever it names and call it; this one
knows the few instructions with which `torch.save` writes a dictionary of tensors, and turns the
names it may contain into descriptions. Anything else is refused by name.
"""

import math
import pickletools
from dataclasses import dataclass

MOST_DIMENSIONS = 32
MOST_VALUES = 2**48  # of one tensor; also keeps every number printable

# PyTorch's storages, and what safetensors calls their types.
STORAGES = {
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
}
REBUILDERS = ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter")
KNOWN = {
    ("collections", "OrderedDict"),
    *(("torch._utils", name) for name in REBUILDERS),
    *(("torch", name) for name in STORAGES),
}

LITERALS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"),
    "BINUNICODE8",
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
PUTS, GETS = ("PUT", "BINPUT", "LONG_BINPUT"), ("GET", "BINGET", "LONG_BINGET")
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class Refused(Exception):
    """What a file holds that is no tensor, in words."""


class Damaged(Exception):
    """What is wrong with a file, in words."""


@dataclass(frozen=True)
class Global:
    """A name that a pickle refers to. It is never imported."""

    module: str
    name: str


@dataclass(frozen=True)
class Storage:
    """A run of values that stands outside the pickle: type (of safetensors), key, how many."""

    dtype: str
    key: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """A view of a storage: first value, shape and strides, all counted in values."""

    storage: Storage
    first: int
    shape: tuple
    strides: tuple


def read(file):
    """Reads one pickle from where a file stands; leaves the file behind it.

    Args:
        file: an `io.BytesIO`; its size bounds what a pickle can ask for.

    Returns:
        Numbers, strings, None, tuples, lists and dictionaries of such, Storage and Tensor.

    Raises:
        Refused: if it holds anything else.
        Damaged: if it ends early, or contradicts itself.
    """
    machine = _Machine()
    try:
        for opcode, value, place in pickletools.genops(file):
            if opcode.name != "STOP":
                machine.step(opcode.name, value, place)
        return machine.stack.pop()
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, AttributeError) as error:
        raise Damaged("its pickle is cut off or contradicts itself") from error


class _Machine:
    """The stack and the memo of a pickle, and what each known instruction does to them.

    A mark lays the stack aside and begins a new one.
    """

    def __init__(self):
        self.stack, self.aside, self.memo = [], [], {}

    def step(self, name, value, place):
        stack = self.stack
        if name in LITERALS:
            stack.append(value)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in PUTS or name == "MEMOIZE":
            self.memo[len(self.memo) if name == "MEMOIZE" else int(value)] = stack[-1]
        elif name in GETS:
            stack.append(self.memo[int(value)])
        elif name == "MARK":
            self.aside.append(stack)
            self.stack = []
        elif name in TUPLES:
            stack[-TUPLES[name] :] = [tuple(stack[-TUPLES[name] :])]
        elif name in ("EMPTY_LIST", "EMPTY_DICT"):
            stack.append([] if name == "EMPTY_LIST" else {})
        elif name in SINCE_MARK:
            self.stack = self.aside.pop()
            SINCE_MARK[name](self.stack, stack)
        elif name == "APPEND":
            _extend(stack, [stack.pop()])
        elif name == "SETITEM":
            _set_items(stack, [stack.pop(-2), stack.pop()])
        elif name in ("GLOBAL", "INST"):
            stack.append(_global(*value.split(" ", 1)))
        elif name == "STACK_GLOBAL":
            function = stack.pop()
            stack.append(_global(_of(str, stack.pop()), _of(str, function)))
        elif name == "BINPERSID":
            stack.append(_storage(*_of(tuple, stack.pop())))
        elif name == "REDUCE":
            arguments = _of(tuple, stack.pop())
            stack.append(_rebuilt(_of(Global, stack.pop()), arguments))
        elif name == "BUILD":
            stack.pop()  # notes on the versions of modules
            _of(dict, stack[-1])
        elif name not in ("PROTO", "FRAME"):
            raise Refused(f"the instruction {name} at byte {place} of a pickle")


def _of(kind, value):
    if not isinstance(value, kind):
        raise TypeError(kind)
    return value


def _as_dict(found, values):
    """Adds keys and values in turn; keys are names, so that none can be dear to compare."""
    for key, value in zip(values[::2], values[1::2], strict=True):
        found[_of(str, key)] = value
    return found


def _extend(stack, values):
    _of(list, stack[-1]).extend(values)


def _set_items(stack, values):
    _as_dict(_of(dict, stack[-1]), values)


# Instructions that take all values since the last mark: what each does to the stack below it.
SINCE_MARK = {
    "TUPLE": lambda stack, values: stack.append(tuple(values)),
    "LIST": lambda stack, values: stack.append(values),
    "DICT": lambda stack, values: stack.append(_as_dict({}, values)),
    "APPENDS": _extend,
    "SETITEMS": _set_items,
}


def _global(module, name):
    if (module, name) not in KNOWN:
        raise Refused(f"{f'{module}.{name}'[:100]!r}")
    return Global(module, name)


def _count(number, most=MOST_VALUES):
    if type(number) is not int or not 0 <= number <= most:
        raise ValueError
    return number


def _storage(word, kind, key, device, count, view=None):
    """A storage as `torch.save` names it; the device does not matter."""
    if word != "storage" or _of(Global, kind).name not in STORAGES or view is not None:
        raise ValueError
    return Storage(STORAGES[kind.name], _of(str, key), _count(count))


def _rebuilt(function, arguments):
    """What a known function would make of its arguments, as a description."""
    if function.name == "OrderedDict":
        pairs = _of(list, arguments[0]) if arguments else []
        return _as_dict({}, [value for key, item in pairs for value in (key, item)])
    if function.name == "_rebuild_parameter":
        return _of(Tensor, arguments[0])
    if function.name not in REBUILDERS:
        raise ValueError
    storage, first, shape, strides = arguments[:4]
    tensor = Tensor(_of(Storage, storage), first, _of(tuple, shape), _of(tuple, strides))
    _check(tensor)
    return tensor


def _check(tensor):
    """Refuses a view that would leave its storage, or show values of it more than once."""
    numbers = (tensor.first, *tensor.shape, *tensor.strides)
    if len(tensor.shape) != len(tensor.strides) or len(tensor.shape) > MOST_DIMENSIONS:
        raise ValueError
    for number in numbers:
        _count(number)
    values, count = math.prod(tensor.shape), tensor.storage.count
    if values == 0 and math.prod(size or 1 for size in tensor.shape) <= MOST_VALUES:
        return
    last = tensor.first + sum(
        (size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    if not 0 < values <= count or last >= count:
        raise Damaged("a tensor reaches outside its storage")
