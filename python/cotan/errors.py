"""The exceptions that cotan raises for mistakes with traced values.

They are the classes of `jax.errors`, with the same bases, so code that
catches them keeps working. Messages name the operation, the value and the
user's own line.
"""


class ConcretizationTypeError(TypeError):
    """A traced value was used where a concrete one is needed."""


class TracerBoolConversionError(ConcretizationTypeError):
    """A traced value was used as a bool (`if`, `while`, `and`, `or`)."""


class TracerIntegerConversionError(TypeError):
    """A traced value was used as an index or other integer."""


class TracerArrayConversionError(TypeError):
    """A traced value was passed to NumPy."""


class NonConcreteBooleanIndexError(IndexError):
    """A traced boolean mask was used as an index: its result has no shape."""


class UnexpectedTracerError(RuntimeError):
    """A traced value was used after its transformation had ended."""


class TypePromotionError(ValueError):
    """Two dtypes have no implicit common dtype."""


class KeyReuseError(RuntimeError):
    """A PRNG key was used twice."""


_BY_KIND = {
    "type_promotion": TypePromotionError,
    "tracer_bool": TracerBoolConversionError,
    "concretization": ConcretizationTypeError,
    "tracer_integer": TracerIntegerConversionError,
    "tracer_array": TracerArrayConversionError,
    "unexpected_tracer": UnexpectedTracerError,
    "non_concrete_boolean_index": NonConcreteBooleanIndexError,
    "floating_point": FloatingPointError,
}
