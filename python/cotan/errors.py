"""The exceptions that cotan raises for mistakes with traced values.

They are the classes of `jax.errors`, with the same bases, so code that
catches them keeps working. Messages name the operation, the value and the
user's own line.
"""


class JAXTypeError(TypeError):
    """What the errors about types of traced values have in common."""


class JAXIndexError(IndexError):
    """What the errors about indices have in common."""


class JaxRuntimeError(RuntimeError):
    """A program failed while it ran."""


class JaxprTypeError(TypeError):
    """A jaxpr is not well typed."""


class InconclusiveDimensionOperation(Exception):
    """A comparison of symbolic sizes has no answer; sizes are numbers here,
    so that it is never raised."""


class ConcretizationTypeError(JAXTypeError):
    """A traced value was used where a concrete one is needed."""


class TracerBoolConversionError(ConcretizationTypeError):
    """A traced value was used as a bool (`if`, `while`, `and`, `or`)."""


class TracerIntegerConversionError(JAXTypeError):
    """A traced value was used as an index or other integer."""


class TracerArrayConversionError(JAXTypeError):
    """A traced value was passed to NumPy."""


class NonConcreteBooleanIndexError(JAXIndexError):
    """A traced boolean mask was used as an index: its result has no shape."""


class UnexpectedTracerError(JAXTypeError):
    """A traced value was used after its transformation had ended."""


class TypePromotionError(ValueError):
    """Two dtypes have no implicit common dtype."""


class KeyReuseError(JAXTypeError):
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
