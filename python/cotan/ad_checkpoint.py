"""`checkpoint`, its policies, and names for values; as jax.ad_checkpoint."""

from cotan._src.checkpoints import (
    checkpoint,
    checkpoint_name,
    checkpoint_policies,
)

__all__ = [
    "checkpoint",
    "checkpoint_name",
    "checkpoint_policies",
    "print_saved_residuals",
]


def print_saved_residuals(f, *args, **kwargs) -> None:
    """Prints the types of what the derivative of `f` keeps."""
    from cotan._src.checkpoints import saved_residuals

    for aval, where in saved_residuals(f, *args, **kwargs):
        print(f"{aval.str_short(short_dtypes=True)} {where}")
