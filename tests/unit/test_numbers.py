"""Numbers and booleans are not mixed up, and every declared bound of a field is enforced and in the JSON schema."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le, Lt
from pydantic import Field, ValidationError

from config.section import Positive, Section
from config.settings import SECTIONS


class Example(Section):
    shared: Positive = Field(default=1, le=10)
    optional: Annotated[int, Field(ge=2, le=10)] | None = Field(default=None, le=100)
    share: float = Field(default=0.5, ge=0, le=1)
    several: list[Annotated[int, Field(ge=1)]] = Field(default=[])
    enabled: bool = True
    rank: Literal[1, 8] = 1


@pytest.mark.parametrize(
    "given",
    [
        {"shared": 11},
        {"shared": 0},
        {"shared": True},
        {"shared": 1.5},
        {"shared": "1 GiB"},
        {"optional": 11},
        {"optional": 1},
        {"optional": False},
        {"share": True},
        {"share": float("nan")},
        {"share": "inf"},
        {"several": [2, True]},
        {"several": [0]},
        {"rank": True},
        {"enabled": 1},
        {"enabled": 0.0},
        {"enabled": "maybe"},
    ],
    ids=str,
)
def test_what_is_no_number_or_out_of_bounds_is_refused(given):
    with pytest.raises(ValidationError):
        Example.model_validate(given)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"shared": 10}, 10),
        ({"shared": "10"}, 10),
        ({"share": "0.9"}, 0.9),
        ({"share": 1}, 1.0),
        ({"optional": None}, None),
        ({"several": [1, 2]}, [1, 2]),
        ({"enabled": False}, False),
        ({"enabled": "true"}, True),
    ],
    ids=str,
)
def test_numbers_and_switches_are_read_as_pulumi_writes_them(given, read):
    """`pulumi config set --path` writes fractions as text, integers as numbers."""
    (name,) = given
    assert getattr(Example.model_validate(given), name) == read


def models(base: type[Section] = Section) -> Iterator[type[Section]]:
    for model in base.__subclasses__():
        yield model
        yield from models(model)


def declared() -> Iterator[Any]:
    """Every bound declared in the settings models, taken from the source code, not from pydantic's schema."""
    for model in models():
        for name, field in model.model_fields.items():
            for mark in field.metadata:
                if isinstance(mark, (Ge, Gt, Le, Lt)):
                    yield pytest.param(model, name, mark, id=f"{model.__name__}.{name} {mark}")


def test_all_sections_are_looked_at():
    assert len([*models()]) > 3 * len(SECTIONS)


@pytest.mark.parametrize(("model", "name", "mark"), [*declared()])
def test_every_declared_bound_is_in_the_schema_and_in_force(model, name, mark):
    field = model.model_fields[name]
    schema = model.model_json_schema(by_alias=False)["properties"][name]
    kinds = {Ge: ("ge", "minimum"), Gt: ("gt", "exclusiveMinimum"), Le: ("le", "maximum"), Lt: ("lt", "exclusiveMaximum")}
    kind, keyword = kinds[type(mark)]
    bound = getattr(mark, kind)
    (number,) = [one for one in (schema, *schema.get("anyOf", [])) if one.get("type") in ("integer", "number")]
    assert keyword in number
    assert number[keyword] >= bound if kind[0] == "g" else number[keyword] <= bound
    beyond = bound + {"ge": -1, "gt": 0, "le": 1, "lt": 0}[kind]
    with pytest.raises(ValidationError) as caught:
        model.model_validate({field.alias or name: beyond})
    assert any(error["loc"][0] in (name, field.alias) for error in caught.value.errors())
