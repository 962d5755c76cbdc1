"""Generate the stubs under gen/ from proto/, or with --check say whether they are current."""

from __future__ import annotations

import filecmp
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
GEN = ROOT / "gen"


def generate(target: Path) -> None:
    """Write messages, services, their types and a descriptor set for every proto below `target`."""
    protos = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    well_known = str(resources.files("grpc_tools") / "_proto")
    bin_dir = Path(sys.executable).parent
    status = protoc.main(
        [
            "protoc",
            f"-I{PROTO}",
            f"-I{well_known}",
            f"--plugin=protoc-gen-mypy={bin_dir / 'protoc-gen-mypy'}",
            f"--plugin=protoc-gen-mypy_grpc={bin_dir / 'protoc-gen-mypy_grpc'}",
            f"--python_out={target}",
            f"--grpc_python_out={target}",
            f"--mypy_out=quiet:{target}",
            f"--mypy_grpc_out=quiet:{target}",
            *protos,
        ]
    )
    if status != 0:
        raise SystemExit(status)
    for unused in target.rglob("*_pb2_grpc.py*"):
        if "class " not in unused.read_text(encoding="utf-8"):
            unused.unlink()


def differences(left: Path, right: Path) -> list[str]:
    """Relative paths of files that differ or stand on one side only."""
    names = {
        p.relative_to(base).as_posix() for base in (left, right) for p in base.rglob("*.py*") if p.suffix != ".pyc"
    }
    return sorted(
        name
        for name in names
        if not ((left / name).is_file() and (right / name).is_file())
        or not filecmp.cmp(left / name, right / name, shallow=False)
    )


def main() -> int:
    """Run from the command line; returns the exit status."""
    if "--check" not in sys.argv[1:]:
        shutil.rmtree(GEN, ignore_errors=True)
        GEN.mkdir()
        generate(GEN)
        return 0
    with tempfile.TemporaryDirectory() as fresh:
        generate(Path(fresh))
        stale = differences(Path(fresh), GEN)
    if stale:
        print("gen/ is not what proto/ says: run `make proto`. Differs:", *stale, sep="\n  ")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
