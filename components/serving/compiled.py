"""The program that keeps what a replica has compiled on the claim of its weights, and restores it before the next replica's engine starts.

`restore <home> <kept>` copies what is kept into the replica's own HOME; `keep <home> <kept>` waits until the engine answers, copies HOME to
the claim unless something is kept there already, and then stays until it is terminated. compile_cache.py passes this text to python3.
"""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import sys
import threading
from pathlib import Path

PORT = int(os.environ.get("API_PORT", "8000"))
EVERY_SECONDS = float(os.environ.get("EVERY_SECONDS", "10"))
MOST_KEPT = 3


def restore(home: Path, kept: Path) -> None:
    """All or nothing: without it the engine only starts slower."""
    if not kept.is_dir():
        print("nothing is kept for this image, model, GPU and these flags")
        return
    try:
        shutil.copytree(kept, home, symlinks=True, dirs_exist_ok=True)
        print(f"restored from {kept}")
    except OSError as error:
        print(f"not restored: {error}")
        for entry in home.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def keep(home: Path, kept: Path) -> None:
    """Copies to a name of this pod's own first: `kept` appears whole, and of several replicas the first to finish has made it."""
    part = kept.with_name(f"{kept.name}.{socket.gethostname()}")
    kept.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(home, part, symlinks=True)
        part.rename(kept)
        print(f"kept as {kept}")
        _forget_the_oldest(kept.parent)
    except OSError as error:
        print(f"not kept: {error}")
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _forget_the_oldest(folder: Path) -> None:
    entries = sorted((entry for entry in folder.iterdir() if not entry.suffix), key=lambda entry: entry.stat().st_ctime, reverse=True)
    for entry in entries[MOST_KEPT:]:
        shutil.rmtree(entry, ignore_errors=True)


def _answers() -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    return False


def main() -> None:
    verb, home, kept = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if verb == "restore":
        return restore(home, kept)
    terminated = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: terminated.set())
    while not kept.is_dir() and not terminated.wait(EVERY_SECONDS):
        if _answers():
            keep(home, kept)
    terminated.wait()
    return None


if __name__ == "__main__":
    main()
