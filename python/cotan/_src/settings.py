"""`cotan.config`: settings of the process, and context managers that change
one for a thread."""

from __future__ import annotations

import contextlib
import os
import threading

from cotan import _core

# name: (field of the core's settings, allowed values or None for bool)
_FIELDS = {
    "enable_x64": ("x64", None),
    "numpy_dtype_promotion": ("promotion", ("standard", "strict")),
    "numpy_rank_promotion": ("rank_promotion", ("allow", "warn", "raise")),
    "debug_nans": ("debug_nans", None),
    "debug_infs": ("debug_infs", None),
    "check_tracer_leaks": ("checking_leaks", None),
    "threefry_partitionable": ("threefry_partitionable", None),
    "disable_jit": ("disable_jit", None),
    "check_static_indices": ("check_static_indices", None),
    "default_prng_impl": (
        "default_prng_impl",
        (
            "threefry2x32",
            "threefry4x32",
            "philox2x32",
            "philox4x32",
            "rbg",
            "unsafe_rbg",
        ),
    ),
}
# Settings that are only remembered.
_PLAIN = {
    "default_matmul_precision": None,
    "platforms": None,
    "traceback_filtering": None,
    "log_compiles": False,
    "default_device": None,
    "softmax_custom_jvp": True,
    "enable_checks": False,
    "enable_custom_prng": False,
    "explain_cache_misses": False,
    "debug_key_reuse": False,
    "legacy_prng_key": "allow",
    "allow_f16_reductions": True,
    "no_tracing": False,
}
_CHOICES = {
    "default_matmul_precision": (
        None,
        "default",
        "high",
        "highest",
        "bfloat16",
        "tensorfloat32",
        "float32",
        "BF16_BF16_F32",
        "BF16_BF16_F32_X3",
        "BF16_BF16_F32_X6",
        "BF16_BF16_F32_X9",
        "F32_F32_F32",
        "TF32_TF32_F32",
        "TF32_TF32_F32_X3",
        "F64_F64_F64",
        "F16_F16_F16",
        "F16_F16_F32",
        "BF16_BF16_BF16",
        "ANY_F8_ANY_F8_F32",
        "ANY_F8_ANY_F8_F32_FAST_ACCUM",
        "ANY_F8_ANY_F8_ANY",
        "ANY_F8_ANY_F8_ANY_FAST_ACCUM",
    ),
    "legacy_prng_key": ("allow", "warn", "error"),
}


def _strip(name: str) -> str:
    for prefix in ("jax_", "cotan_"):
        if name.startswith(prefix):
            return name[len(prefix) :]
    return name


class Config:
    """Settings as attributes; names may carry the prefix `jax_`.

    `update(name, value)` changes a setting for the whole process.
    """

    def __init__(self):
        object.__setattr__(self, "_plain", dict(_PLAIN))
        object.__setattr__(self, "_local", threading.local())
        for name in _FIELDS:
            for prefix in ("JAX_", "COTAN_"):
                value = os.environ.get(prefix + name.upper())
                if value is not None:
                    self.update(name, _parse(name, value))

    def __getattr__(self, name):
        key = _strip(name)
        if key in _FIELDS:
            return _core.get_config(_FIELDS[key][0])
        if key in self._plain:
            return getattr(self._local, key, self._plain[key])
        raise AttributeError(f"cotan.config has no setting {name!r}")

    def __setattr__(self, name, value):
        self.update(name, value)

    def update(self, name: str, value) -> None:
        """Sets `name` for all threads that have no value of their own."""
        key = _strip(name)
        if key in _FIELDS:
            _core.set_config(_FIELDS[key][0], _checked(key, value), False)
        elif key in self._plain:
            self._plain[key] = _checked_plain(key, value)
            if key == "default_matmul_precision":
                _core.set_config("matmul_precision", _level(value), False)
            if key == "default_device":
                _core.set_default_device(_as_device(value))
        else:
            raise AttributeError(f"Unrecognized config option: {name}")

    def read_global(self, name: str):
        """The value of threads that are in no `with` block of the setting."""
        key = _strip(name)
        if key in _FIELDS:
            return _core.get_global_config(_FIELDS[key][0])
        return self._plain[key]

    @contextlib.contextmanager
    def within(self, name: str, value):
        """A `with` block in which this thread has the value."""
        key = _strip(name)
        if key in _FIELDS:
            with _core_value(_FIELDS[key][0], _checked(key, value)):
                yield
            return
        had = hasattr(self._local, key)
        previous = getattr(self._local, key, None)
        setattr(self._local, key, _checked_plain(key, value))
        try:
            if key in _TOLD:
                with _TOLD[key](value):
                    yield
            else:
                yield
        finally:
            if had:
                setattr(self._local, key, previous)
            else:
                delattr(self._local, key)

    @property
    def x64_enabled(self) -> bool:
        return self.enable_x64

    def read(self, name: str):
        return getattr(self, name)


def _parse(name, text):
    if _FIELDS[name][1] is None:
        return text.lower() in ("1", "true", "yes", "on")
    return text


def _checked(key, value):
    allowed = _FIELDS[key][1]
    if allowed is None:
        return bool(value)
    if value not in allowed:
        raise ValueError(
            f"{key} must be one of {', '.join(allowed)}, got {value!r}"
        )
    return value


def _checked_plain(key, value):
    if key in _CHOICES and value not in _CHOICES[key]:
        raise ValueError(
            f"{key} must be one of {', '.join(map(str, _CHOICES[key]))}, got "
            f"{value!r}"
        )
    return value


config = Config()


@contextlib.contextmanager
def _core_value(field: str, value):
    previous = _core.set_config(field, value, True)
    try:
        yield
    finally:
        _core.restore_config(previous)


# Of products, from the names that a user may give.
_LEVELS = {
    None: "",
    "default": "default",
    "bfloat16": "default",
    "high": "high",
    "tensorfloat32": "high",
    "highest": "highest",
    "float32": "highest",
}


def _level(precision):
    return _LEVELS.get(precision, "other")


def _as_device(x):
    from cotan._src import devices

    return None if x is None else devices.as_device(x)


@contextlib.contextmanager
def _device_of_thread(device):
    previous = _core.set_thread_device(_as_device(device))
    try:
        yield
    finally:
        _core.set_thread_device(previous)


# Settings that the core is told of: context managers of a value.
_TOLD = {
    "default_matmul_precision": lambda value: _core_value(
        "matmul_precision", _level(value)
    ),
    "default_device": _device_of_thread,
}


class State:
    """A setting as a function that gives a context manager: within the `with`
    block this thread has the value. `value` is what it has now."""

    def __init__(self, key: str, effect: str):
        self._key = self.__name__ = self.__qualname__ = key
        self.__doc__ = (
            f"Sets `{key}` for this thread within a `with` block. {effect}"
        )

    @property
    def name(self) -> str:
        return "jax_" + self._key

    @property
    def value(self):
        return getattr(config, self._key)

    def get_global(self):
        """The value of threads that are in no `with` block of it."""
        return config.read_global(self._key)

    def set_global(self, value) -> None:
        config.update(self._key, value)

    def __call__(self, new_val=True):
        return config.within(self._key, new_val)

    def __repr__(self):
        return f"<setting {self._key}>"


enable_x64 = State("enable_x64", "Arrays then may have 64-bit dtypes.")
numpy_dtype_promotion = State(
    "numpy_dtype_promotion", "strict: dtypes must be equal or weak."
)
numpy_rank_promotion = State(
    "numpy_rank_promotion", "What happens to operands of different ranks."
)
debug_nans = State("debug_nans", "A nan in a result is a FloatingPointError.")
debug_infs = State("debug_infs", "An infinity in a result is one, too.")
check_tracer_leaks = State(
    "check_tracer_leaks", "Traced values that outlive their trace are errors."
)
checking_leaks = check_tracer_leaks
threefry_partitionable = State(
    "threefry_partitionable", "Off: the older layout of threefry's bits."
)
default_prng_impl = State(
    "default_prng_impl", "The generator of keys that name none."
)
_disable_jit = State("disable_jit", "")


def disable_jit(disable: bool = True):
    """Within a `with` block, jitted functions run operation by operation."""
    return _disable_jit(disable)


default_device = State(
    "default_device", "Where arrays are made and computations run."
)
default_matmul_precision = State(
    "default_matmul_precision",
    "The `precision` of products that name none, for devices that have a "
    "choice: on a CPU products of f32 are exact to f32 either way.",
)
log_compiles = State(
    "log_compiles", 'What is traced and compiled is logged (logger "cotan").'
)
softmax_custom_jvp = State(
    "softmax_custom_jvp", "Softmax always has its own derivative."
)
enable_checks = State("enable_checks", "Checks are always on.")
enable_custom_prng = State(
    "enable_custom_prng", "`random.PRNGKey` then gives typed keys."
)
explain_cache_misses = State(
    "explain_cache_misses",
    'Why a jitted function is traced again is logged (logger "cotan").',
)
debug_key_reuse = State("debug_key_reuse", "Reuse of keys is not detected yet.")
legacy_prng_key = State(
    "legacy_prng_key", "What happens to raw keys: allow, warn or error."
)
no_tracing = State(
    "no_tracing",
    "Jitted functions then run only for signatures that have been traced: a "
    "new one is a RuntimeError.",
)
allow_f16_reductions = State(
    "allow_f16_reductions",
    "Off: lax.reduce_sum refuses f16 and bf16, whose sums lose digits.",
)


class UserContext:
    """A value of the user's that belongs to the key of `jit`'s caches.

    >>> context = cotan.make_user_context("plain")
    >>> with context("fancy"):
    ...     context.value
    'fancy'
    """

    def __init__(self, default_value):
        self._default = self._global = default_value
        self._local = threading.local()
        _user_contexts.append(self)

    @property
    def value(self):
        return getattr(self._local, "value", self._global)

    def get_global(self):
        return self._global

    def set_global(self, new_value) -> None:
        """Sets the value of threads that are in no `with` block of it."""
        self._global = new_value
        _core.set_config("user_context", _user_number(), False)

    @contextlib.contextmanager
    def __call__(self, new_value):
        had = hasattr(self._local, "value")
        previous = self.value
        self._local.value = new_value
        try:
            with _core_value("user_context", _user_number()):
                yield
        finally:
            if had:
                self._local.value = previous
            else:
                del self._local.value


_user_contexts: list[UserContext] = []
_user_numbers: dict[tuple, int] = {}


def _user_number() -> int:
    """A number for the values that user contexts have in this thread; 0 if
    they are those that the contexts were made with."""
    values = tuple(
        (i, c.value)
        for i, c in enumerate(_user_contexts)
        if c.value != c._default
    )
    if not values:
        return 0
    number = _user_numbers.setdefault(values, len(_user_numbers) + 1)
    if number >= 2**16:
        raise RuntimeError("user contexts have had 65,535 different values")
    return number


def make_user_context(default_value=None) -> UserContext:
    """A context whose values `jit` traces anew for: call it with a (hashable)
    value for a `with` block, read it as `.value`."""
    return UserContext(default_value)
