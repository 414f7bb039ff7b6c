"""Helpers that several test folders share."""

import subprocess


def run(*command, **options):
    """Runs a command; its output is the message if it fails."""
    result = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout
