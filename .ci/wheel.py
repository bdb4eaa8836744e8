"""
Add compiled kernels to a wheel: ``python .ci/wheel.py WHEEL FOLDER`` writes a wheel for this Python and this kind of machine.

Kernels of all commands are compiled for the processor that `owlbus.kernels.jit` chooses. They call nothing but numba, so the wheel runs
where numba's own wheel does and has its platform tag. With another version of numba, they are compiled on the first run.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path

from numba.core.registry import cpu_target

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from owlbus.common.kernel_inventory import describe_shipped  # noqa: E402 - the checkout's own
from owlbus.common.kernel_list import read_list  # noqa: E402 - as above
from owlbus.kernels.jit import PROCESSOR  # noqa: E402 - as above


def platform_tag() -> str:
    """Return the tag of numba's own wheel here, for this Python."""
    tags = [
        line.removeprefix("Tag: ") for line in (distribution("numba").read_text("WHEEL") or "").splitlines() if line.startswith("Tag: ")
    ]
    python = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    platforms = sorted({platform for tag in tags for platform in tag.split("-")[2].split(".")})
    return f"{python}-{python}-{'.'.join(platforms) or sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def compile_in(folder: Path) -> None:
    """Compile the kernels of all commands inside an unpacked wheel; those that the checkout has for the same source are taken over."""
    compiled = folder / "owlbus" / "kernels" / "compiled"
    compiled.mkdir()
    entries = [entry for entry in read_list() if entry.commands]
    kernels = [(entry.kernel(), entry.signature()) for entry in entries]  # the first one chooses the processor
    codegen = cpu_target.target_context.codegen()
    for kernel, signature in kernels:
        file = kernel._cache.find(signature, codegen)  # noqa: SLF001 - our own, in numba's place
        if file is not None:
            shutil.copy(file, compiled)
    commands = set().union(*(entry.commands for entry in entries))
    env = {**os.environ, "PYTHONPATH": str(folder), "XDG_CACHE_HOME": str(folder / ".cache")}
    subprocess.run([sys.executable, "-m", "owlbus.kernels", *sorted(commands)], cwd=folder, env=env, check=True)  # noqa: S603 - our own
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    for cached in folder.rglob("__pycache__"):
        shutil.rmtree(cached)
    describe_shipped(PROCESSOR, compiled)
    files = list(compiled.glob("*.nbc"))
    print(f"{len(files)} compiled kernels, {sum(file.stat().st_size for file in files) / 1e6:.1f} MB")


def pack(folder: Path, name: str, tag: str, target: Path) -> Path:
    """Write a wheel from an unpacked one, with its tag and the digests of its files."""
    (info,) = folder.glob("*.dist-info")
    lines = [line for line in (info / "WHEEL").read_text().splitlines() if line and not line.startswith(("Tag:", "Root-Is-Purelib:"))]
    python, abi, platforms = tag.split("-")
    lines += ["Root-Is-Purelib: false", *(f"Tag: {python}-{abi}-{platform}" for platform in platforms.split("."))]
    (info / "WHEEL").write_text("\n".join(lines) + "\n")
    (info / "RECORD").unlink()
    wheel = target / f"{name}-{tag}.whl"
    record = []
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            data, path = file.read_bytes(), file.relative_to(folder).as_posix()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record.append(f"{path},sha256={digest},{len(data)}")
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
        path = f"{info.name}/RECORD"
        archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), "\n".join([*record, f"{path},,", ""]))
    return wheel


def main(wheel: str, target: str) -> None:
    """Write the wheel with compiled kernels and print its name."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        compile_in(folder)
        Path(target).mkdir(exist_ok=True)
        done = pack(folder, "-".join(Path(wheel).name.split("-")[:2]), platform_tag(), Path(target))
        print(f"{done} ({done.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main(*sys.argv[1:])
