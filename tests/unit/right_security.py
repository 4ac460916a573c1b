"""Right stacks with hardening that is a choice."""

from tests.unit.wrong_security import KEY

RIGHT = {
    "every hardening at once": {
        "cluster.security": {
            "secretsKmsKey": KEY,
            "diskKmsKey": KEY,
            "binaryAuthorization": "PROJECT_SINGLETON_POLICY_ENFORCE",
            "authenticatorGroup": "gke-security-groups@eng.acme.example",
            "controlPlaneLogs": ["APISERVER", "SCHEDULER", "CONTROLLER_MANAGER"],
            "networkPolicyLogging": "DENIED",
        }
    },
    "key for disks in a multi-region": {"cluster.security": {"diskKmsKey": KEY.replace("us-central1", "us")}},
    "key for disks in no region": {"cluster.security": {"diskKmsKey": KEY.replace("us-central1", "global")}},
    "key of a project of a domain": {"cluster.security": {"secretsKmsKey": KEY.replace("acme-keys", "example.com:acme-keys")}},
}
