"""DVC remotes on real servers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Remote:
    """An address where a server keeps files, and where they lie on this machine."""

    url: str
    folder: Path
    options: Mapping[str, str] = field(default_factory=dict)

    def add_to(self, dvc: Callable[..., object], name: str) -> None:
        """Make a folder called `name` the default remote; secrets go into `.dvc/config.local`, which git ignores."""
        dvc("remote", "add", "--default", "server", f"{self.url}/{name}")
        self.add_options(dvc)

    def add_options(self, dvc: Callable[..., object]) -> None:
        """What each clone has to be told."""
        for option, value in self.options.items():
            dvc("remote", "modify", "--local", "server", option, value)

    def files(self, name: str) -> list[Path]:
        """Files of the folder called `name`."""
        return sorted(path for path in (self.folder / name).rglob("*") if path.is_file())
