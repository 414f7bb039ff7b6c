"""What may still change."""

from cotan._src.callbacks import io_callback

__all__ = ["io_callback"]
