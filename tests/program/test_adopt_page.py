"""docs/adopt.md names what exists: settings, namespaces, and resources with their ids."""

from __future__ import annotations

import importlib
import inspect
import re

import pytest

from tests.settings_paths import is_setting
from tools.stacks import ROOT

PAGE = (ROOT / "docs" / "adopt.md").read_text()
IDS = dict(re.findall(r"^\| `(gcp:[^`]+)` \| `([^`]+)` \|$", PAGE, re.MULTILINE))


def test_the_page_gives_ids_for_every_google_resource_of_dev_that_has_to_be_imported(program):
    imported = {one.type for one in program("dev").resources if one.custom and one.type.startswith("gcp:")}
    assert IDS.keys() == imported - {"gcp:projects/iAMMember:IAMMember"}


# Of the account the SDK says nothing; Terraform's page of google_service_account does.
@pytest.mark.parametrize("type_", sorted(IDS.keys() - {"gcp:serviceaccount/account:Account"}))
def test_an_id_is_as_the_provider_documents_it(type_):
    _, module, name = type_.split(":")
    resource = getattr(importlib.import_module(f"pulumi_gcp.{module.partition('/')[0]}"), name)
    assert re.search(rf"pulumi import {re.escape(type_)} (default )?{re.escape(IDS[type_])}\n", inspect.getsource(resource))


def test_the_namespaces_of_the_page_are_those_of_dev(program):
    made = {one.inputs["metadata"]["name"] for one in program("dev").resources if one.type == "kubernetes:core/v1:Namespace"}
    (line,) = re.findall(r"The namespaces are (.*?) for each model", PAGE, re.DOTALL)
    assert {name for name in made if not name.startswith("model-")} | {"model-<name>"} == set(re.findall(r"`([^`]+)`", line))


def test_every_setting_of_the_page_exists():
    for path in re.findall(r"`((?:cluster|nodePools|platform|models|gateway|secrets)\.[\w.<>]+)", PAGE):
        section, *keys = path.split(".")
        assert is_setting(section, keys), path
