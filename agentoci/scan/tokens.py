"""Keys and tokens that can be told by their form."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Final

from agentoci.scan.rules import Rule

_END: Final = rb"(?![A-Za-z0-9_-])"
_BASE64_END: Final = rb"(?![A-Za-z0-9+/])"

MODELS: Final = (
    Rule("anthropic-key", "an Anthropic key", (b"sk-ant-",),
         rb"sk-ant-[a-z]{2,8}\d\d-[\w-]{32,200}"),
    Rule("openrouter-key", "an OpenRouter key", (b"sk-or-",), rb"sk-or-v1-[0-9a-f]{64}" + _END),
    Rule(
        "openai-key",
        "an OpenAI key",
        (b"sk-",),
        rb"sk-(?:(?:proj|svcacct|admin|None)-[\w-]{20,250}"
        rb"|[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}|[A-Za-z0-9]{32,64})" + _END,
        entropy=3.3,
    ),
    Rule("hugging-face-token", "a Hugging Face token", (b"hf_", b"api_org_"),
         rb"(?:hf_|api_org_)[A-Za-z0-9]{30,40}" + _END, entropy=3.5),
    Rule("groq-key", "a Groq key", (b"gsk_",), rb"gsk_[A-Za-z0-9]{48,56}" + _END),
    Rule("replicate-token", "a Replicate token", (b"r8_",), rb"r8_[A-Za-z0-9]{37,40}" + _END),
    Rule("perplexity-key", "a Perplexity key", (b"pplx-",), rb"pplx-[A-Za-z0-9]{40,56}" + _END),
    Rule("xai-key", "an xAI key", (b"xai-",), rb"xai-[A-Za-z0-9]{70,90}" + _END),
    Rule("nvidia-key", "an NVIDIA API key", (b"nvapi-",), rb"nvapi-[\w-]{60,70}" + _END),
    Rule("langsmith-key", "a LangSmith key", (b"lsv2_",),
         rb"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}" + _END),
    Rule("pinecone-key", "a Pinecone key", (b"pcsk_",), rb"pcsk_[A-Za-z0-9_]{40,90}" + _END),
    Rule("tavily-key", "a Tavily key", (b"tvly-",),
         rb"tvly-(?:dev-|prod-)?[A-Za-z0-9]{30,40}" + _END),
)  # fmt: skip

CODE: Final = (
    Rule("github-token", "a GitHub token", (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"),
         rb"gh[pousr]_[A-Za-z0-9]{36,251}" + _END),
    Rule("github-token", "a GitHub token", (b"github_pat_",),
         rb"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}" + _END),
    Rule("gitlab-token", "a GitLab token",
         (b"glpat-", b"gldt-", b"glrt-", b"glptt-", b"glcbt-", b"glagent-", b"gloas-", b"glft-",
          b"glsoat-", b"glimt-", b"glffct-"),
         rb"gl(?:pat|dt|rt|ptt|cbt|agent|oas|ft|soat|imt|ffct)-[\w-]{20,300}(?:\.[\w.]{2,30})?"),
    Rule("npm-token", "an npm token", (b"npm_",), rb"npm_[A-Za-z0-9]{36}" + _END),
    Rule("pypi-token", "a PyPI token", (b"pypi-",), rb"pypi-AgE[\w-]{50,1000}"),
    Rule("rubygems-key", "a RubyGems key", (b"rubygems_",), rb"rubygems_[0-9a-f]{48}" + _END),
    Rule("docker-token", "a Docker Hub token", (b"dckr_pat_", b"dckr_oat_"),
         rb"dckr_[po]at_[\w-]{27,40}" + _END),
    Rule("atlassian-token", "an Atlassian token", (b"ATATT3",), rb"ATATT3[\w=-]{100,250}"),
    Rule("postman-key", "a Postman key", (b"PMAK-",), rb"PMAK-[0-9a-f]{24}-[0-9a-f]{34}" + _END),
    Rule("linear-key", "a Linear key", (b"lin_api_",), rb"lin_api_[A-Za-z0-9]{40}" + _END),
    Rule("notion-token", "a Notion token", (b"ntn_",), rb"ntn_[A-Za-z0-9]{40,50}" + _END),
    Rule("sentry-token", "a Sentry token", (b"sntrys_", b"sntryu_"),
         rb"sntry[su]_[\w+/=-]{60,250}"),
    Rule("grafana-token", "a Grafana token", (b"glsa_", b"glc_"),
         rb"(?:glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}|glc_[A-Za-z0-9+/]{40,400}={0,2})" + _END),
)  # fmt: skip

_AWS_NAMED: Final = (
    rb"(?i:aws|amazon)[\w.-]{0,30}(?i:secret|key)[\w.-]{0,30}['\"]?"
    rb"\s{0,3}(?:=>|:=|[=:,]|\s)\s{0,3}['\"]?"
    rb"(?P<s>[A-Za-z0-9/+]{40})" + _BASE64_END
)


def _is_mixed(_match: re.Match[bytes], secret: bytes) -> bool:
    """Upper and lower case and digits: not a hash in hex, not a path."""
    return all(re.search(part, secret) for part in (rb"[A-Z]", rb"[a-z]", rb"\d"))


CLOUDS: Final = (
    Rule("aws-access-key-id", "an AWS access key id", (b"AKIA", b"ASIA"),
         rb"A[KS]IA[A-Z2-7]{16}" + _END),
    Rule("aws-secret-key", "an AWS secret key", (b"aws", b"AWS", b"Aws", b"amazon"), _AWS_NAMED,
         entropy=4.0, glued=True, check=_is_mixed),
    Rule("google-api-key", "a Google API key", (b"AIza",), rb"AIza[\w-]{35}" + _END),
    Rule("google-oauth-secret", "a Google OAuth secret", (b"GOCSPX-",),
         rb"GOCSPX-[\w-]{28}" + _END),
    Rule("google-oauth-token", "a Google OAuth token", (b"ya29.",), rb"ya29\.[\w-]{40,400}"),
    Rule("azure-storage-key", "an Azure storage key", (b"AccountKey=",),
         rb"AccountKey=(?P<s>[A-Za-z0-9+/]{86}==)", glued=True),
    Rule("azure-shared-access-signature", "an Azure shared access signature", (b"sig=",),
         rb"(?:[?&;]|&amp;)sig=(?P<s>[A-Za-z0-9%+/]{40,100}(?:%3D|=))",
         glued=True, entropy=3.5),
    Rule("digitalocean-token", "a DigitalOcean token", (b"dop_v1_", b"doo_v1_", b"dor_v1_"),
         rb"do[opr]_v1_[0-9a-f]{64}" + _END),
    Rule("databricks-token", "a Databricks token", (b"dapi",), rb"dapi[0-9a-f]{32}(?:-\d)?" + _END),
    Rule("vault-token", "a Vault token", (b"hvs.", b"hvb."), rb"hv[sb]\.[\w-]{24,300}"),
    Rule("terraform-token", "a Terraform Cloud token", (b".atlasv1.",),
         rb"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,70}" + _END),
    Rule("supabase-token", "a Supabase token", (b"sbp_",), rb"sbp_[0-9a-f]{40}" + _END),
    Rule("age-key", "an age key", (b"AGE-SECRET-KEY-1",), rb"AGE-SECRET-KEY-1[0-9A-Z]{58}" + _END),
)  # fmt: skip

SERVICES: Final = (
    Rule("slack-token", "a Slack token", (b"xox", b"xapp-"),
         rb"(?:xox[abeoprs]-(?:\d{9,14}-)?[\w-]{20,250}"
         rb"|xapp-\d-[A-Z0-9]{9,12}-\d{10,14}-[0-9a-f]{60,70})"),
    Rule("slack-webhook", "a Slack webhook", (b"hooks.slack.com/",),
         rb"hooks\.slack\.com/(?:services|workflows|triggers)/"
         rb"(?P<s>[A-Z0-9]{8,12}/[A-Z0-9]{8,14}/[A-Za-z0-9]{20,46})"),
    Rule("stripe-key", "a Stripe key",
         (b"sk_live_", b"rk_live_", b"sk_test_", b"rk_test_", b"whsec_"),
         rb"(?:[sr]k_(?:live|test)_|whsec_)(?P<s>[A-Za-z0-9]{24,250})" + _END),
    Rule("sendgrid-key", "a SendGrid key", (b"SG.",), rb"SG\.[\w-]{22}\.[\w-]{43}" + _END),
    Rule("twilio-key", "a Twilio key", (b"SK",), rb"SK[0-9a-f]{32}" + _END),
    Rule("telegram-bot-token", "a Telegram bot token", (b":AA",),
         rb"\d{8,10}:(?P<s>AA[\w-]{33})" + _END),
    Rule("discord-token", "a Discord bot token",
         (b"MT", b"Mj", b"Mz", b"ND", b"NT", b"Nj", b"Nz", b"OD", b"OT"),
         rb"(?:M[Tjz]|N[DTjz]|O[DT])[A-Za-z0-9]{22,26}\.[\w-]{6}\.[\w-]{27,38}" + _END, entropy=4.0,
         check=lambda match, _secret: _discord_user(match[0])),
    Rule("discord-webhook", "a Discord webhook", (b"api/webhooks/",),
         rb"discord(?:app)?\.com/api/webhooks/\d{17,20}/(?P<s>[\w-]{60,70})"),
    Rule("shopify-token", "a Shopify token", (b"shpat_", b"shpca_", b"shppa_", b"shpss_"),
         rb"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}" + _END),
    Rule("square-token", "a Square token", (b"sq0atp-", b"sq0csp-"),
         rb"sq0(?:atp-[\w-]{22}|csp-[\w-]{43})" + _END),
    Rule("mailgun-key", "a Mailgun key", (b"key-",), rb"key-[0-9a-f]{32}" + _END),
    Rule("newrelic-key", "a New Relic key", (b"NRAK-",), rb"NRAK-[A-Z0-9]{27}" + _END),
)  # fmt: skip


def _discord_user(token: bytes) -> bool:
    """Its first part is the decimal id of a user."""
    return _decoded(token.partition(b".")[0]).isdigit()


def _decoded(part: bytes) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        return b""


_SAMPLE_SIGNATURE: Final = b"SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
"""Of the token that every tutorial shows."""


def _is_jwt(match: re.Match[bytes], secret: bytes) -> bool:
    try:
        head = json.loads(_decoded(match[0].partition(b".")[0]))
    except (ValueError, RecursionError):
        return False
    return isinstance(head, dict) and "alg" in head and not secret.endswith(_SAMPLE_SIGNATURE)


_PRIVATE_KEY: Final = (
    rb"-----BEGIN (?:[A-Z0-9]{1,16} ){0,2}PRIVATE KEY(?: BLOCK)?-----"
    rb"(?:\s|\\r|\\n|['\"+,]){1,12}(?:[A-Z][\w-]{2,20}: [^\n\\]{1,100}(?:\s|\\r|\\n){1,8}){0,4}"
    rb"(?P<s>[A-Za-z0-9+/=]{20,80})"
)

DOCUMENTS: Final = (
    Rule("private-key", "a private key", (b"PRIVATE KEY",), _PRIVATE_KEY, anywhere=True,
         glued=True, entropy=2.5),
    Rule("json-web-token", "a JSON web token", (b"eyJ",),
         rb"eyJ[\w-]{15,600}\.eyJ[\w-]{15,2000}\.(?P<s>[\w-]{20,700})", entropy=3.5, check=_is_jwt),
)  # fmt: skip

TOKENS: Final = MODELS + CODE + CLOUDS + SERVICES + DOCUMENTS
"""In the order in which they are tried; of two that overlap the first counts."""
