"""Wrong stacks whose problem is in `cluster.security`."""

from tests.unit.wrong_models import EXISTING

KEY = "projects/acme-keys/locations/us-central1/keyRings/llm/cryptoKeys/gke"
ELSEWHERE = KEY.replace("us-central1", "europe-west4")

WRONG = {
    "key by its name alone": (
        {"cluster.security": {"secretsKmsKey": "gke"}},
        "cluster.security.secretsKmsKey",
        "'gke' is not a key of Cloud KMS",
        "projects/<project>/locations/<region>/keyRings/<ring>/cryptoKeys/<key>",
    ),
    "version of a key": (
        {"cluster.security": {"diskKmsKey": f"{KEY}/cryptoKeyVersions/1"}},
        "cluster.security.diskKmsKey",
        "is not a key of Cloud KMS",
        "without a version",
    ),
    "key for Secrets in another region": (
        {"cluster.security": {"secretsKmsKey": ELSEWHERE}},
        "cluster.security.secretsKmsKey",
        "is a key in europe-west4, and the cluster is in us-central1",
        "key ring in us-central1",
    ),
    "key for Secrets in no region": (
        {"cluster.security": {"secretsKmsKey": KEY.replace("us-central1", "global")}},
        "cluster.security.secretsKmsKey",
        "is a key in global",
        "key ring in us-central1",
    ),
    "key for disks in another region": (
        {"cluster.security": {"diskKmsKey": ELSEWHERE}},
        "cluster.security.diskKmsKey",
        "is a key in europe-west4",
        "key ring in us-central1",
    ),
    "group of another name": (
        {"cluster.security": {"authenticatorGroup": "platform@acme.example"}},
        "cluster.security.authenticatorGroup",
        "'platform@acme.example' is not the group that GKE asks about members",
        "gke-security-groups@<domain>",
    ),
    "logs of a part that there is not": (
        {"cluster.security": {"controlPlaneLogs": ["ETCD"]}},
        "cluster.security.controlPlaneLogs[0]",
        "'ETCD'",
        "APISERVER",
    ),
    "logs of a part twice": (
        {"cluster.security": {"controlPlaneLogs": ["APISERVER", "APISERVER"]}},
        "cluster.security.controlPlaneLogs",
        "names APISERVER twice",
        "name each once",
    ),
    "Binary Authorization as a switch": (
        {"cluster.security": {"binaryAuthorization": True}},
        "cluster.security.binaryAuthorization",
        "True",
        "PROJECT_SINGLETON_POLICY_ENFORCE",
    ),
    "hardening of a cluster that exists": (
        EXISTING | {"cluster.security": {"controlPlaneLogs": ["APISERVER"]}},
        "cluster.security",
        "unknown key",
        "",
    ),
}
