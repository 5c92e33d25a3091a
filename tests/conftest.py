"""Shared fixtures: a tiny model of the real classes, made photos, a home of their own, no network."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# One thread, here and in every process that a test starts: sums of several threads differ in their last bits from
# those of one, and tiny models are slower with two. It must be said before torch is imported.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import boothlab  # noqa: E402, F401 - switches the libraries' telemetry off before any of them is imported
from photos_made import photo_folder  # noqa: E402
from tiny import build_tiny_sd  # noqa: E402

if TYPE_CHECKING:
    from boothlab.models.model import Model


@pytest.fixture(scope="session")
def tiny_sd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Stable Diffusion v1 model, 64 px, in diffusers format."""
    return build_tiny_sd(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny_base(tiny_sd: Path) -> Model:
    """That model, loaded and frozen. Shared: never attach anything to it."""
    from boothlab.models.config import Base
    from boothlab.models.load import load

    return load(Base(model=str(tiny_sd), device="cpu"))


@pytest.fixture
def fresh(tiny_base: Model) -> Callable[[], Model]:
    """Makes copies of the tiny model, each a fresh base model."""
    from jobs_made import copied

    return lambda: copied(tiny_base)


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Shared results of a test go to a folder of its own."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("BOOTHLAB_HOME", str(home))
    return home


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with five photos."""
    return photo_folder(tmp_path / "photos", 5)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to reach another machine fails the test."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0]) if isinstance(address, tuple) else ""
            if not host.startswith("127.") and host not in ("::1", "localhost"):
                raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
