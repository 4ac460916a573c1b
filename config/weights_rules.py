"""Rules on `models.<name>.weights` that need other sections: buckets, shared volumes, pinned revisions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from config import catalog
from config.cluster import ExistingCluster, GkeCluster
from config.errors import Problem
from config.models import Model
from config.secrets import SecretName
from config.settings import Settings

# GKE's own StorageClasses for disks, and the usual names of further ones; Filestore's end in -rwx.
GKE_DISKS = r"standard|(standard|premium)-rwo|(hyperdisk-|pd-).*"


def weights_rules(settings: Settings, path: str, model: Model) -> Iterator[Problem]:
    yield from _revision_is_pinned(settings, path, model)
    yield from _volume_can_be_shared(settings, path, model)
    yield from _bucket_rules(settings, f"{path}.weights.uri", model)


def _bucket_rules(settings: Settings, path: str, model: Model) -> Iterator[Problem]:
    source, bucket = model.weights.source, model.weights.bucket
    if source == "google-cloud-storage" and isinstance(settings.cluster, ExistingCluster):
        message = "pods read gs:// with GKE's Workload Identity, which a cluster of provider existing does not have"
        fix = "write it as s3:// with weights.endpoint https://storage.googleapis.com and an HMAC key under secrets, or use weights.claim"
        yield Problem(path, message, fix)
    if bucket and not 3 <= len(bucket) <= 63:
        yield Problem(path, f"no bucket can be named '{bucket}': it has {len(bucket)} characters", "use a name of 3 to 63 characters")
    if source == "s3":
        keys: tuple[SecretName, ...] = ("s3AccessKeyId", "s3SecretAccessKey")
        for key in [key for key in keys if not settings.secrets.has(key)]:
            message = "an s3:// address needs the bucket's access key, and it is not given"
            yield Problem(path, message, f"pulumi config set --secret --path 'secrets.{key}' <value>")


def _volume_can_be_shared(settings: Settings, path: str, model: Model) -> Iterator[Problem]:
    weights, replicas = model.weights, model.scaling.ceiling
    if weights.cache != "persistent-volume-claim":
        return
    if weights.access_mode == "ReadWriteOnce" and replicas > 1:
        message = f"a ReadWriteOnce volume is attached to one node, and up to {replicas} replicas would mount it"
        yield Problem(f"{path}.weights.accessMode", message, "use ReadWriteMany with a class that has it, or weights.cache empty-dir")
    name = weights.storage_class or "standard-rwo"
    if weights.access_mode == "ReadWriteMany" and isinstance(settings.cluster, GkeCluster) and re.fullmatch(GKE_DISKS, name):
        said = f"'{name}'" if weights.storage_class else f"GKE's default class {name}"
        message = f"{said} provisions disks, which one node can mount: a ReadWriteMany claim never binds"
        fix = "name a Filestore class of your own whose `network` is the VPC, or use ReadWriteOnce, or weights.cache empty-dir"
        yield Problem(f"{path}.weights.storageClass", message, fix)


def _revision_is_pinned(settings: Settings, path: str, model: Model) -> Iterator[Problem]:
    if model.weights.source != "hugging-face":
        return
    row = catalog.model(model.source)
    wanted = {f"{path}.revision": model.revision or (row.revision if row else None)}
    wanted |= {f"{path}.loraAdapters.{name}.revision": adapter.revision for name, adapter in model.lora_adapters.items()}
    if (speculative := model.engine.speculative) and speculative.model:
        draft = catalog.model(speculative.model)
        wanted[f"{path}.engine.speculative.revision"] = speculative.revision or (draft.revision if draft else None)
    for where, revision in wanted.items():
        if settings.platform.require_pinned_revisions and not re.fullmatch(r"[0-9a-f]{40}", revision or ""):
            said = f"'{revision}' is a branch or tag" if revision else "no revision is given, so the default branch is meant"
            message = f"{said}: the weights could change under a running platform"
            yield Problem(where, message, "give the 40 hexadecimal digits of a commit, or set platform.requirePinnedRevisions to false")
