"""What is needed to repeat a run: versions, devices, precision."""

import importlib.metadata
import platform
from typing import Any

import jax

PACKAGES = ("widetheory", "jax", "jaxlib", "optax", "neural-tangents", "numpy", "scipy")


def configure(precision: str) -> None:
    """Sets floating-point precision for the process: "float64" or "float32".

    Matrix products keep it on every device: GPUs and TPUs would round to TF32 or bfloat16.
    """
    jax.config.update("jax_enable_x64", precision == "float64")
    jax.config.update("jax_default_matmul_precision", "highest")


def describe() -> dict[str, Any]:
    """Versions, devices and precision, ready for JSON."""
    devices = jax.devices()
    return {
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in PACKAGES},
        "platform": platform.platform(),
        "backend": jax.default_backend(),
        "devices": [device.device_kind for device in devices],
        "precision": "float64" if jax.config.jax_enable_x64 else "float32",  # pyright: ignore
        "matmul_precision": jax.config.jax_default_matmul_precision,  # pyright: ignore
    }


def line() -> str:
    """The same in one line."""
    facts = describe()
    versions = facts["versions"]
    devices = f"{len(facts['devices'])} × {facts['devices'][0]}"
    return (
        f"widetheory {versions['widetheory']}, jax {versions['jax']}, "
        f"neural-tangents {versions['neural-tangents']}, Python {versions['python']}; "
        f"{devices} ({facts['backend']}), {facts['precision']}"
    )


def version(package: str) -> str:
    """The installed version of a package, or that it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
