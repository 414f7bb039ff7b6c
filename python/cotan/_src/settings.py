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
    "allow_f16_reductions": False,
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
        else:
            raise AttributeError(f"Unrecognized config option: {name}")

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


def _context(key: str):
    @contextlib.contextmanager
    def manager(new_val=True):
        with _core_value(_FIELDS[key][0], _checked(key, new_val)):
            yield

    manager.__name__ = manager.__qualname__ = key
    manager.__doc__ = f"Sets `{key}` for this thread within a `with` block."
    return manager


enable_x64 = _context("enable_x64")
numpy_dtype_promotion = _context("numpy_dtype_promotion")
numpy_rank_promotion = _context("numpy_rank_promotion")
debug_nans = _context("debug_nans")
debug_infs = _context("debug_infs")
checking_leaks = _context("check_tracer_leaks")
check_tracer_leaks = checking_leaks
threefry_partitionable = _context("threefry_partitionable")
default_prng_impl = _context("default_prng_impl")
_disable_jit = _context("disable_jit")


def disable_jit(disable: bool = True):
    """Within a `with` block, jitted functions run operation by operation."""
    return _disable_jit(disable)


def _plain_context(key: str, effect: str):
    @contextlib.contextmanager
    def manager(new_val=True):
        had = hasattr(config._local, key)
        previous = getattr(config._local, key, None)
        setattr(config._local, key, _checked_plain(key, new_val))
        try:
            yield
        finally:
            if had:
                setattr(config._local, key, previous)
            else:
                delattr(config._local, key)

    manager.__name__ = manager.__qualname__ = key
    manager.__doc__ = (
        f"Sets `{key}` for this thread within a `with` block. {effect}"
    )
    return manager


default_device = _plain_context(
    "default_device", "There is one device: it changes nothing."
)
_matmul_precision = _plain_context("default_matmul_precision", "")


@contextlib.contextmanager
def default_matmul_precision(new_val):
    """Sets the `precision` of products that name none, for this thread within
    a `with` block. It is for devices that have a choice: on a CPU the products
    of f32 are exact to f32 either way."""
    with (
        _matmul_precision(new_val),
        _core_value("matmul_precision", _level(new_val)),
    ):
        yield


log_compiles = _plain_context("log_compiles", "Nothing is logged yet.")
softmax_custom_jvp = _plain_context(
    "softmax_custom_jvp", "Softmax always has its own derivative."
)
enable_checks = _plain_context("enable_checks", "Checks are always on.")
enable_custom_prng = _plain_context(
    "enable_custom_prng", "`random.PRNGKey` gives raw keys either way."
)
explain_cache_misses = _plain_context(
    "explain_cache_misses", "Nothing is logged yet."
)
debug_key_reuse = _plain_context(
    "debug_key_reuse", "Reuse of keys is not detected yet."
)
legacy_prng_key = _plain_context("legacy_prng_key", "Raw keys are allowed.")
no_tracing = _plain_context(
    "no_tracing",
    "Jitted functions then run only for signatures that have been traced: a "
    "new one is a RuntimeError.",
)
allow_f16_reductions = _plain_context(
    "allow_f16_reductions", "Reductions of f16 always sum in f32."
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
