"""What can go wrong with a request, by the names that gRPC gave it."""

# Position is gRPC's number. Source: https://grpc.github.io/grpc/core/md_doc_statuscodes.html
CODES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
    "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
    "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
# What TensorFlow Serving's REST answers; 500 for all others.
HTTP = {
    "OK": 200,
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


class RequestError(Exception):
    """A request that is not answered.

    Attributes:
        code: one of CODES.
        message: TensorFlow Serving's words where it has some for this.
    """

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message

    @property
    def http_status(self):
        return HTTP.get(self.code, 500)


def invalid(message):
    """A request that is wrong whenever it is asked."""
    return RequestError("INVALID_ARGUMENT", message)


def of(error):
    """Any exception as a RequestError: TensorFlow's with its code, others as INTERNAL."""
    if isinstance(error, RequestError):
        return error
    code = getattr(error, "error_code", None)  # of tf.errors.OpError
    if isinstance(code, int) and 0 < code < len(CODES):
        return RequestError(CODES[code], error.message or str(error))
    if isinstance(error, MemoryError):
        return RequestError("RESOURCE_EXHAUSTED", "out of memory")
    return RequestError("INTERNAL", f"{type(error).__name__}: {error}")
