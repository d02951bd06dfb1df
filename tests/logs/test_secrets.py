"""Real-looking secrets of many kinds are gone from stored text, and ordinary messages stay readable."""

from __future__ import annotations

import base64
import random
import string
import time

import pytest

from kronos_health.logs.masking import mask

_CHANCE = random.Random(20251030)


def some(alphabet: str, length: int) -> str:
    return "".join(_CHANCE.choices(alphabet, k=length))


ALNUM, UPPER, HEX = string.ascii_letters + string.digits, string.ascii_uppercase + string.digits, "0123456789abcdef"
_JWT = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b'{"alg":"HS256"}', b'{"sub":"trader-1"}')
)
# Made up at import: this file holds none, and scanners of repositories have nothing to find.
SECRETS = {
    "aws key id": ("using {} for S3", "AKIA" + some(UPPER, 16)),
    "aws secret": ("aws_secret_access_key = '{}'", some(ALNUM + "/+", 40)),
    "github token": ("git clone failed: {}", "ghp_" + some(ALNUM, 36)),
    "github fine-grained": ("token used: {}", "github_pat_" + some(ALNUM, 22) + "_" + some(ALNUM, 59)),
    "gitlab token": ("runner {} was refused", "glrt-" + some(ALNUM, 20)),
    "slack bot token": ("posting with {}", "xoxb-" + some(string.digits, 12) + "-" + some(ALNUM, 24)),
    "slack webhook": ("POST {} gave 404", "https://hooks.slack.com/services/T0AB/B0CD/" + some(ALNUM, 24)),
    "json web token": ("session {} expired", _JWT + "." + some(ALNUM, 43)),
    "private key": ("read {} from env", "-----BEGIN RSA PRIVATE " + "KEY-----\n" + some(ALNUM, 64) + "\n"),
    "pgp key": ("read {}", "-----BEGIN PGP PRIVATE " + "KEY BLOCK-----\n" + some(ALNUM, 64) + "\n"),
    "url with password": ("connecting to postgresql://trader:{}@db.internal/prices", some(ALNUM, 14)),
    "stripe key": ("charge failed with {}", "sk_live_" + some(ALNUM, 24)),
    "password in a pair": ("login(user='bot', password='{}')", some(ALNUM, 12)),
    "password in JSON": ('{{"user": "bot", "passwd": "{}"}}', some(ALNUM, 12)),
    "exchange api key": ("headers={{'X-MBX-APIKEY': '{}'}}", some(ALNUM, 64)),
    "exchange secret": ("Kraken(apiSecret={})", some(ALNUM + "+/", 86) + "=="),
    "signed request": ("GET /api/v3/order?symbol=ETHUSD&signature={} gave 400", some(HEX, 64)),
    "passphrase": ("coinbase passphrase: {}", some(ALNUM, 11)),
    "bearer": ("Authorization: Bearer {}", some(ALNUM, 40)),
    "google key": ("maps {} refused", "AIza" + some(ALNUM, 35)),
    "hugging face": ("hub {} expired", "hf_" + some(ALNUM, 34)),
    "openai": ("embedding with {}", "sk-proj-" + some(ALNUM, 48)),
    "sendgrid": ("mail with {}", f"SG.{some(ALNUM, 22)}.{some(ALNUM, 43)}"),
    "telegram bot": ("bot {} is blocked", f"{some('123456789', 9)}:{some(ALNUM, 35)}"),
    "discord bot": ("bot {} left", f"M{some(ALNUM, 23)}.{some(ALNUM, 6)}.{some(ALNUM, 27)}"),
    "twilio": ("sms by {}", "SK" + some(HEX, 32)),
    "azure storage": ("blob;AccountKey={};EndpointSuffix=x", some(ALNUM + "+/", 86) + "=="),
    "mailchimp": ("list {} gone", some(HEX, 32) + "-us12"),
    "pypi": ("upload with {}", "pypi-AgEIcHlwaS5vcmc" + some(ALNUM, 80)),
}
ORDINARY = """\
skipping cudagraphs due to mutated inputs (2 instances). Found from : \n   File "/srv/trading/model/kronos.py", line 276
torch._dynamo hit config.recompile_limit (8) function: 'decode_s2' (/srv/a/kronos.py:300)
last reason: 1/7: tensor 'x' size mismatch at index 1. expected 249, actual 250
W1123 11:58:40.101000 4242 torch/_dynamo/convert_frame.py:1358] [1/8] 0/0: ___check_obj_id(L['self'], 7656)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79.10 GiB
/tmp/torchinductor_root/2g/c2gq3ks5w7n6v4zqlxpmjv3m7hmvxyhn5bnwlqrfu2ncfz7xlnbq.py:42: triton_poi_fused_norm_0
checkout 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b of NeoQuasar/Kronos-base
sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
Tokenizer: Kronos-Tokenizer-base, max_tokens=512, shape torch.Size([1, 256, 6]), dtype torch.bfloat16
torch._inductor.exc.InductorError: LoweringException: target: aten.scaled_dot_product_attention.default
0198c1a2-7f3a-7cc1-9d3e-5f2b8a6c4e10 finished at 2025-10-30 09:08:09.060000 UTC in 3.08 s
APACHE_ARROW APAutoTuning MultiHeadAttentionBlock.forward.decode_with_static_rope_cache_enabled
key errors: KeyError: 'close'; the token count is 256; secret sauce; pass 3 of 5; passed 5
CUDA_VISIBLE_DEVICES=0 TORCH_LOGS=recompiles KRONOS_COMPILE=1 TOTO_DISABLE_COMPILE=1""".splitlines()


@pytest.mark.parametrize("kind", SECRETS)
def it_leaves_nothing_of_a_secret(kind: str) -> None:
    sentence, secret = SECRETS[kind]
    masked = mask(f"2025-10-30 09:08:09 ERROR | {sentence.format(secret)}, then more")
    assert "***" in masked
    # Neither the whole nor any larger part of what is random in it.
    for start in range(max(len(secret) - 12, 1)):
        piece = secret[start : start + 12]
        if not piece.startswith(("https:", "-----", "BEGIN", "PRIVATE", " PRIV")) and piece.isalnum():
            assert piece not in masked, masked
    assert masked.startswith("2025-10-30 09:08:09 ERROR | ")


@pytest.mark.parametrize("text", ORDINARY)
def it_leaves_ordinary_messages_as_they_are(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    "part",
    [
        "a", "eyJ", "eyJ.", "//", "://a:", "aws key ", "sk-", "-", "AC", "0", "password", "xoxb-1-", "AKC", "://a:b",
        "//a/:_authToken=npm_", "cl key ", "glpat-", "secret_key ", "M.", "1:", " ", "=", "aws", "-us", "SG.", "iam ",
        "password='", "&signature=", "-----BEGIN RSA PRIVATE " + "KEY-----", "token=\\\"", "https://hooks.slack.com/services/",
    ],
)  # fmt: skip
def it_takes_its_time_by_the_length_of_hostile_text_only(part: str) -> None:
    """A megabyte takes 1 to 7 s; what is stored is cut to a few kilobytes before it is masked."""
    text = (part * 200_000)[:200_000]
    began = time.process_time()
    mask(text)
    assert time.process_time() - began < 8
