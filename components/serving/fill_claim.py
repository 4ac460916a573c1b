"""The program of the Job that fills a claim: downloads repositories of Hugging Face at their revisions and verifies every checksum.

Runs in the model server's image, which has huggingface_hub, and imports nothing of this project: weights_job.py passes its text to python3.
A file that differs from the Hub's checksum (sha256, or git's blob id for a file that is not in LFS) is deleted, so that the next try
downloads it again. A repository is marked once it is verified: a Job that runs again for another reason has nothing to do.
"""

import json
import sys
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download


def fill(source: str, revision: str | None, folder: Path, excluded: list[str]) -> bool:
    """Whether the folder holds the repository as the Hub has it."""
    mark = folder / ".verified"
    if mark.exists():
        print(f"{source}: verified before")
        return True
    snapshot_download(source, revision=revision, local_dir=folder, ignore_patterns=excluded)
    result = HfApi().verify_repo_checksums(source, revision=revision, local_dir=folder)
    for wrong in result.mismatches:
        print(f"{source}: {wrong['path']} has {wrong['algorithm']} {wrong['actual']}, the Hub says {wrong['expected']}; deleted")
        (folder / wrong["path"]).unlink()
    if not result.mismatches:
        print(f"{source}: {result.checked_count} files verified")
        mark.touch()
    return not result.mismatches


if __name__ == "__main__":
    filled = [fill(one["source"], one["revision"], Path(one["folder"]), one["excluded"]) for one in json.loads(sys.argv[1])]
    sys.exit(0 if all(filled) else 1)
