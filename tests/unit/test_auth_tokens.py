"""Staff's tokens: what is taken, what is refused and why, and what happens while the issuer is away."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from instrumentation.problems import ProblemError
from services.auth import DEMO_PEOPLE, DemoIssuer, Discovery, FetchedKeys, FixedKeys, Person, Role, StaffVerifier
from services.auth.keys import MAX_AGE, PAUSE, usable_keys
from services.auth.signing_key import new_key

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
SOFIA = DEMO_PEOPLE[0]


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        """Return its moment."""
        return self.moment

    def move(self, by: timedelta) -> None:
        """Let time pass."""
        self.moment += by


def set_up() -> tuple[DemoIssuer, StaffVerifier, Clock]:
    clock = Clock()
    issuer = DemoIssuer(clock=clock)
    return issuer, StaffVerifier(issuer.url, issuer.audience, FixedKeys(issuer.jwks), clock), clock


async def refusal(verifier: StaffVerifier, token: str, status: int = 401) -> str:
    with pytest.raises(ProblemError) as caught:
        await verifier.verify(token)
    assert caught.value.status == status
    if status == 401:
        assert (caught.value.headers or {})["WWW-Authenticate"].startswith("Bearer")
    return caught.value.detail


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None) -> str:
    """Return a token that a library would refuse to make."""
    signed = unpadded(orjson.dumps(header)) + "." + unpadded(orjson.dumps(claims))
    signature = hmac.new(secret, signed.encode(), hashlib.sha256).digest() if secret is not None else b""
    return signed + "." + unpadded(signature)


def claims_of(issuer: DemoIssuer, **changed: Any) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(issuer.issue(SOFIA), options={"verify_signature": False})
    return {name: value for name, value in (claims | changed).items() if value is not None}


def signed_by(issuer: DemoIssuer, **changed: Any) -> str:
    key = issuer._key  # noqa: SLF001 - a token that this issuer would never give
    return jwt.encode(claims_of(issuer, **changed), key.private, "EdDSA", {"kid": key.kid})


async def test_a_token_says_who_comes_in_which_roles() -> None:
    issuer, verifier, _ = set_up()
    assert await verifier.verify(issuer.issue(SOFIA)) == Person("sofia", "Sofia Marin", frozenset({Role.SALES}))


async def test_unknown_roles_are_ignored_and_roles_of_the_wrong_shape_are_none() -> None:
    issuer, verifier, _ = set_up()
    token = signed_by(issuer, roles=["sales", "emperor", 7, ["sre"]])
    assert (await verifier.verify(token)).roles == frozenset({Role.SALES})
    assert (await verifier.verify(signed_by(issuer, roles="sales"))).roles == frozenset()
    assert (await verifier.verify(signed_by(issuer, roles=None))).roles == frozenset()


async def test_an_unsigned_token_is_refused() -> None:
    issuer, verifier, _ = set_up()
    kid = issuer.jwks["keys"][0]["kid"]
    for name in ("none", "None", "NONE", ""):
        token = forged({"alg": name, "kid": kid}, claims_of(issuer), None)
        assert "is not signed with one of" in await refusal(verifier, token)


async def test_the_public_key_does_not_do_as_an_hs256_secret() -> None:
    """The attack of algorithm confusion, with every form in which the public key may have been taken for the secret."""
    issuer, verifier, _ = set_up()
    key = issuer._key  # noqa: SLF001 - its public half is what an attacker knows
    public = key.private.public_key()
    secrets = (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.Raw, PublicFormat.Raw),
        orjson.dumps(key.public),
    )
    for secret in secrets:
        token = forged({"alg": "HS256", "kid": key.kid}, claims_of(issuer), secret)
        assert "is not signed with one of" in await refusal(verifier, token)


async def test_a_key_is_used_with_its_own_algorithm_only() -> None:
    issuer, verifier, _ = set_up()
    other = ec.generate_private_key(ec.SECP256R1())
    kid = issuer.jwks["keys"][0]["kid"]
    token = jwt.encode(claims_of(issuer), other, "ES256", {"kid": kid})
    assert "signature or form is wrong" in await refusal(verifier, token)


async def test_rsa_and_elliptic_keys_of_real_issuers_are_taken() -> None:
    issuer, _, clock = set_up()
    elliptic = ec.generate_private_key(ec.SECP256R1())
    big = rsa.generate_private_key(65_537, 2_048)
    jwks = {
        "keys": [
            {**jwt.algorithms.ECAlgorithm.to_jwk(elliptic.public_key(), as_dict=True), "kid": "e"},
            {**jwt.algorithms.RSAAlgorithm.to_jwk(big.public_key(), as_dict=True), "kid": "r", "use": "sig"},
        ]
    }
    verifier = StaffVerifier(issuer.url, issuer.audience, FixedKeys(jwks), clock)
    for key, algorithm, kid in ((elliptic, "ES256", "e"), (big, "RS256", "r")):
        token = jwt.encode(claims_of(issuer), key, algorithm, {"kid": kid})
        assert (await verifier.verify(token)).subject == "sofia"


def test_keys_for_other_purposes_are_left_out() -> None:
    public = new_key().public
    listed = [
        public | {"kid": "good"},
        public | {"kid": "enc", "use": "enc"},
        {key: value for key, value in public.items() if key != "kid"},
        {"kty": "oct", "kid": "shared", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"},
        {"kty": "strange", "kid": "x"},
        "no key",
    ]
    assert list(usable_keys({"keys": listed})) == ["good"]
    with pytest.raises(ValueError, match="`keys`, a list"):
        usable_keys({"keys": "none"})


async def test_a_token_signed_by_another_is_refused() -> None:
    issuer, verifier, _ = set_up()
    kid = issuer.jwks["keys"][0]["kid"]
    token = jwt.encode(claims_of(issuer), new_key().private, "EdDSA", {"kid": kid})
    assert "signature or form is wrong" in await refusal(verifier, token)
    head, body, signature = issuer.issue(SOFIA).split(".")
    other = unpadded(orjson.dumps(claims_of(issuer, sub="elena", roles=["executive"])))
    assert other != body
    assert "signature or form is wrong" in await refusal(verifier, f"{head}.{other}.{signature}")


async def test_a_token_ends_and_begins_within_half_a_minute_of_its_times() -> None:
    issuer, verifier, clock = set_up()
    token = issuer.issue(SOFIA, lifetime=timedelta(minutes=5))
    clock.move(timedelta(minutes=5, seconds=29))
    assert (await verifier.verify(token)).subject == "sofia"
    clock.move(timedelta(seconds=1))
    assert "has expired" in await refusal(verifier, token)
    clock.moment = START - timedelta(seconds=31)
    assert "not valid yet" in await refusal(verifier, token)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"aud": "another"}, "not for `touchstone`"),
        ({"aud": None}, "has no `aud`"),
        ({"iss": "https://elsewhere.example"}, "not from http://127.0.0.1:8404"),
        ({"iss": None}, "has no `iss`"),
        ({"exp": None}, "has no `exp`"),
        ({"sub": None}, "has no `sub`"),
        ({"sub": ""}, "`sub` is empty"),
        ({"exp": "tomorrow"}, "`exp` is no number"),
        ({"exp": True}, "`exp` is no number"),
        ({"nbf": "now"}, "`nbf` is no number"),
    ],
)
async def test_a_claim_that_is_wrong_is_named(changed: dict[str, Any], reason: str) -> None:
    issuer, verifier, _ = set_up()
    assert reason in await refusal(verifier, signed_by(issuer, **changed))


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c", "....", "eyJhbGciOiJFZERTQSJ9.e30.", "\N{SNOWMAN}.b.c"])
async def test_what_is_no_token_is_refused(token: str) -> None:
    _, verifier, _ = set_up()
    assert await refusal(verifier, token)


class Published:
    """An issuer's published keys, which a test changes, counts the fetches of, and takes away."""

    def __init__(self, issuer: DemoIssuer, clock: Clock) -> None:
        self.issuer, self.fetches, self.down = issuer, 0, False
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        keys = FetchedKeys(Discovery(issuer.url, client), client, clock=clock)
        self.verifier = StaffVerifier(issuer.url, issuer.audience, keys, clock)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        if self.down:
            raise httpx.ConnectError("refused")
        if request.url.path != "/jwks.json":
            return httpx.Response(200, json={"issuer": self.issuer.url, "jwks_uri": f"{self.issuer.url}/jwks.json"})
        self.fetches += 1
        return httpx.Response(200, json=self.issuer.jwks)

    def rotate(self, clock: Clock) -> DemoIssuer:
        """Replace the key, and return the issuer that signs with the new one."""
        self.issuer = DemoIssuer(clock=clock)
        return self.issuer


async def test_keys_are_fetched_once_for_many_tokens() -> None:
    issuer, _, clock = set_up()
    published = Published(issuer, clock)
    people = await asyncio.gather(*(published.verifier.verify(issuer.issue(SOFIA)) for _ in range(50)))
    assert {person.subject for person in people} == {"sofia"}
    assert published.fetches == 1


async def test_made_up_key_ids_do_not_storm_the_issuer() -> None:
    issuer, _, clock = set_up()
    published = Published(issuer, clock)
    await published.verifier.verify(issuer.issue(SOFIA))
    for second in range(40):
        header = {"kid": f"made-up-{second}"}
        token = jwt.encode(claims_of(issuer), new_key().private, "EdDSA", header)
        assert "does not publish" in await refusal(published.verifier, token)
        clock.move(timedelta(seconds=1))
    assert published.fetches == 1 + 40 / PAUSE.total_seconds() - 1


async def test_a_rotated_key_is_noticed() -> None:
    issuer, _, clock = set_up()
    published = Published(issuer, clock)
    old = issuer.issue(SOFIA)
    await published.verifier.verify(old)
    token = published.rotate(clock).issue(SOFIA)
    clock.move(PAUSE)
    assert (await published.verifier.verify(token)).subject == "sofia"
    assert "does not publish" in await refusal(published.verifier, old)


async def test_a_withdrawn_key_ends_with_the_age_of_the_fetched_ones() -> None:
    issuer, _, clock = set_up()
    published = Published(issuer, clock)
    token = issuer.issue(SOFIA)
    await published.verifier.verify(token)
    published.rotate(clock)
    clock.move(MAX_AGE - timedelta(seconds=1))
    await published.verifier.verify(token)
    clock.move(timedelta(seconds=1))
    assert "does not publish" in await refusal(published.verifier, token)


async def test_known_keys_work_on_while_the_issuer_is_down() -> None:
    issuer, _, clock = set_up()
    published = Published(issuer, clock)
    token = issuer.issue(SOFIA, lifetime=timedelta(days=2))
    await published.verifier.verify(token)
    published.down = True
    clock.move(timedelta(days=1))
    assert (await published.verifier.verify(token)).subject == "sofia"


async def test_before_the_first_keys_arrive_nobody_is_called_a_liar() -> None:
    issuer, _, clock = set_up()
    published = Published(issuer, clock)
    published.down = True
    token = issuer.issue(SOFIA)
    assert "does not answer" in await refusal(published.verifier, token, status=503)
    published.down = False
    clock.move(PAUSE)
    assert (await published.verifier.verify(token)).subject == "sofia"


async def test_an_issuer_that_speaks_for_another_is_not_believed() -> None:
    issuer, _, clock = set_up()
    published = Published(DemoIssuer("http://127.0.0.1:1", clock=clock), clock)
    published.issuer = issuer
    assert "does not answer" in await refusal(published.verifier, issuer.issue(SOFIA), status=503)
