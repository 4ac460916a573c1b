"""Models, weights and limits change while requests are under way: none is cut, none goes astray, and Envoy is not started again."""

import openai
import pytest

from components.gateway.envoy.clusters import Backend
from components.gateway.envoy.routes import ModelRoute
from tests.dataplane.gateway_under_test import HELLO, WAIT_SECONDS, Served, addresses, key_of, plan_of, running
from tests.dataplane.wire import chat, request, send
from tools.demo.model_server import Faults

MODELS = {"qwen3-8b": Served(replicas=2), "llama": Served()}
CLIENTS = {"team-a": {}, "team-b": {"models": ["llama"]}}
REQUESTS = 200


@pytest.fixture
def platform():
    with running(MODELS, CLIENTS) as platform:
        process = platform.gateway.process.pid
        yield platform
        assert platform.gateway.process.pid == process
        assert platform.gateway.process.poll() is None
        assert "rejected" not in platform.gateway.log.lower()
        counters = platform.gateway.stats("(update_rejected|update_failure)$")
        assert not {name for name, value in counters.items() if value}


def ask(platform, model="qwen3-8b", **options):
    return send(platform.gateway.port, request("/v1/chat/completions", chat(model), **options))


def two_colours(platform, blue, green):
    """The first replica of qwen3-8b is blue, the second one green. A colour needs to be known before it has a weight."""
    [model, other] = (platform.gateway.plan.models[name] for name in MODELS)
    first, second = addresses(platform.replicas["qwen3-8b"])
    backends = [Backend("blue", [first], blue), Backend("green", [second], green)]
    platform.gateway.configure(
        routes=[ModelRoute(model, backends), ModelRoute(other, [Backend("blue", addresses(platform.replicas["llama"]))])]
    )


def shares(platform, count=REQUESTS):
    answers = [ask(platform) for _ in range(count)]
    assert {answer.status for answer in answers} == {200}
    colours = [platform.logged(answer.request_id)["colour"] for answer in answers]
    for answer, colour in zip(answers, colours, strict=True):
        assert answer.headers["x-replica"] == {"blue": "qwen3-8b/0", "green": "qwen3-8b/1"}[colour]
    return colours.count("blue"), colours.count("green")


def test_two_colours_share_a_models_requests_by_weight_and_then_one_has_them_all(platform):
    two_colours(platform, 80, 20)
    platform.gateway.wait_until(lambda: platform.healthy("qwen3-8b", "green") == 1, WAIT_SECONDS, "no green")
    blue, green = shares(platform)
    assert 0.65 * REQUESTS <= blue <= 0.95 * REQUESTS  # six standard deviations
    assert green == REQUESTS - blue
    two_colours(platform, 0, 100)
    platform.gateway.wait_until(lambda: shares(platform, 1) == (0, 1), WAIT_SECONDS, "blue has requests still")
    assert shares(platform) == (0, REQUESTS)
    assert ask(platform, "llama").status == 200


def test_a_stream_goes_on_at_the_colour_that_has_no_weight_any_more(platform):
    two_colours(platform, 100, 0)
    platform.gateway.wait_until(lambda: platform.healthy("qwen3-8b", "green") == 1, WAIT_SECONDS, "no green")
    platform.replicas["qwen3-8b"][0].faults = Faults(seconds_per_token=0.05)
    with platform.client() as client:
        stream = client.chat.completions.create(model="qwen3-8b", messages=HELLO, stream=True)
        contents = [next(stream).choices[0].delta.content]
        two_colours(platform, 0, 100)
        platform.gateway.wait_until(lambda: ask(platform).headers["x-replica"] == "qwen3-8b/1", WAIT_SECONDS, "blue has requests still")
        contents += [chunk.choices[0].delta.content for chunk in stream if chunk.choices]
    assert "".join(contents).startswith("qwen3-8b/0 read")
    assert contents[-1] == " 11"


def reconfigured(platform, models, clients):
    plan = plan_of(models, clients)
    routes = [ModelRoute(plan.models[name], [Backend("blue", addresses(platform.replicas[name]))]) for name in models]
    platform.gateway.configure(plan, routes, {name: key_of(name) for name in clients})


def test_models_come_and_go_and_open_streams_stay(platform):
    platform.replicas["llama"][0].faults = Faults(seconds_per_token=0.05)
    with platform.client() as client:
        stream = client.chat.completions.create(model="llama", messages=HELLO, stream=True)
        next(stream)
        reconfigured(platform, {"llama": MODELS["llama"]}, CLIENTS)
        platform.gateway.wait_until(lambda: ask(platform).status == 404, WAIT_SECONDS, "the model is still there")
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("qwen3-8b")
        assert {model.id for model in client.models.list()} == {"llama"}
        assert sum(1 for chunk in stream if chunk.choices) == 16
        reconfigured(platform, MODELS, CLIENTS)
        platform.gateway.wait_until(lambda: ask(platform).status == 200, WAIT_SECONDS, "the model does not come back")
        assert {model.id for model in client.models.list()} == set(MODELS)


def test_names_clients_and_what_they_may_do_change(platform):
    assert [ask(platform, client="team-b").status, ask(platform, client="team-c").status] == [403, 401]
    renamed = MODELS | {"qwen3-8b": Served(names=("qwen3-8b", "chat"), replicas=2)}
    reconfigured(platform, renamed, {"team-b": {}, "team-c": {"defaultModel": "llama", "requestsPerMinute": 12}})
    platform.gateway.wait_until(lambda: ask(platform).status == 401, WAIT_SECONDS, "team-a is still a client")
    platform.gateway.wait_until(lambda: ask(platform, client="team-b").status == 200, WAIT_SECONDS, "still not allowed")
    assert ask(platform, "chat", client="team-b").status != 403

    def default_model():
        return send(platform.gateway.port, request("/v1/chat/completions", {"messages": HELLO}, client="team-c")).headers["x-replica"]

    platform.gateway.wait_until(lambda: default_model() == "llama/0", WAIT_SECONDS, "team-c has no default model")
    assert 429 in {ask(platform, client="team-c").status for _ in range(40)}


def test_nothing_fails_while_the_configuration_is_written_again_and_again(platform):
    two_colours(platform, 100, 0)
    platform.gateway.wait_until(lambda: platform.healthy("qwen3-8b", "green") == 1, WAIT_SECONDS, "no green")
    with platform.client() as client:
        for number in range(50):
            two_colours(platform, number % 2 * 100, (1 - number % 2) * 100)
            for model in ("qwen3-8b", "llama"):
                assert client.chat.completions.create(model=model, messages=HELLO).usage.completion_tokens == 16


def test_a_configuration_that_envoy_refuses_changes_nothing(platform):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("components.gateway.envoy.routes._RETRIES", {"retry_on": 5, "num_retries": "many"})
        reconfigured(platform, MODELS, CLIENTS | {"team-c": {}})
        name = "http.front.rds.models.update_rejected"
        failed = "http.front.rds.models.update_failure"
        platform.gateway.wait_until(lambda: sum(platform.gateway.stats(f"^({name}|{failed})$").values()), WAIT_SECONDS, "not refused")
    assert {ask(platform, model).status for model in MODELS} == {200}
    platform.gateway.administer("POST", "/reset_counters")
