"""`models.<name>.engine.speculative`: a cheaper method proposes several tokens, and the model verifies them in one step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from config.architecture import Architecture
from config.errors import rule
from config.section import Positive, Section
from config.weights import HuggingFaceId, Revision

# Substrings of a draft model's name from which vLLM infers another method, whatever `method` says (SpeculativeConfig 0.33.0).
_TELLING_NAMES = ("eagle-", "eagle3", "dflash", "dspark")


class Speculative(Section):
    """Speculative decoding: how tokens are proposed, and how many at a time."""

    method: Literal["ngram", "draft_model", "eagle", "eagle3", "mtp"] = Field(
        description="ngram: from the prompt. draft_model: by a smaller model of the same vocabulary. eagle, eagle3: by a head trained for "
        "the model. mtp: by the model's own layers for multi-token prediction."
    )
    num_speculative_tokens: Annotated[Positive, Field(le=64)] = Field(description="Tokens proposed at a time.")
    model: HuggingFaceId | None = Field(default=None, description="Hugging Face id of the draft model or head.")
    revision: Revision | None = Field(
        default=None, description="Commit of that repository, 40 hexadecimal digits. Default: the catalogue's."
    )
    architecture: Architecture | None = Field(
        default=None, description="Architecture of the draft by the keys of config.json, if it is not in the catalogue."
    )
    prompt_lookup_min: Positive | None = Field(default=None, description="ngram: shortest run of tokens that is looked up. Default: 5.")
    prompt_lookup_max: Positive | None = Field(default=None, description="ngram: longest run of tokens that is looked up. Default: 5.")

    @model_validator(mode="after")
    def _keys_belong_to_the_method(self) -> Speculative:
        for message, fix in self._contradictions():
            raise rule(message, fix)
        return self

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        method, lookup = self.method, (self.prompt_lookup_min, self.prompt_lookup_max)
        if method in ("draft_model", "eagle", "eagle3") and self.model is None:
            yield f"method {method} needs a model that proposes tokens, and none is given", "give model, or use method ngram"
        if method == "ngram" and self.model:
            yield "method ngram proposes tokens of the prompt and has no model", "remove model, or use method draft_model"
        if self.model is None and (self.revision or self.architecture):
            yield "revision and architecture describe a draft model, and none is given", "give model, or remove them"
        if method != "ngram" and any(lookup):
            yield "promptLookupMin and promptLookupMax are for method ngram", "remove them"
        if None not in lookup and lookup[0] > lookup[1]:  # ty: ignore[unsupported-operator]
            yield f"promptLookupMin {lookup[0]} is above promptLookupMax {lookup[1]}", "raise the one or lower the other"
        telling = [part for part in _TELLING_NAMES if part in (self.model or "").lower()]
        if method in ("draft_model", "mtp") and telling:
            yield (
                f"vLLM treats a model with '{telling[0]}' in its name as a head, not as a {method}",
                "use the method that it was made for",
            )
