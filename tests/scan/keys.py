"""Keys that look real and open nothing: put together when a test runs, from prefix and chance."""

from __future__ import annotations

import base64
import json
import random
import string

LETTERS = string.ascii_letters
ALNUM = string.ascii_letters + string.digits
URLSAFE = ALNUM + "_-"
BASE64 = ALNUM + "+/"
HEX = "0123456789abcdef"
UPPER = string.ascii_uppercase + string.digits
BASE32 = string.ascii_uppercase + "234567"


class Forge:
    """Makes keys from a seed."""

    def __init__(self, seed: int = 20240115) -> None:
        self._random = random.Random(seed)

    def text(self, length: int, alphabet: str = ALNUM) -> str:
        """Characters by chance, the first and last of them alphanumeric, with a digit inside."""
        body = [self._random.choice(alphabet) for _ in range(length)]
        for place in (0, -1):
            if not body[place].isalnum():
                body[place] = "7" if "7" in alphabet else "A"
        return "".join(body)

    def jwt(self, **claims: str) -> str:
        """A JSON web token with a signature by chance."""
        parts = [{"alg": "HS256", "typ": "JWT"}, {"sub": self.text(12), **claims}]
        encoded = [
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
            for part in parts
        ]
        return ".".join([*encoded, self.text(43, URLSAFE)])

    def discord(self) -> str:
        """A Discord bot token: the bot's number, a time, a signature."""
        number = str(self._random.randrange(10**17, 10**18)).encode()
        user = base64.b64encode(number).decode().rstrip("=")
        return f"{user}.{self.text(6, URLSAFE)}.{self.text(38, URLSAFE)}"

    def pem(self, kind: str, *, lines: int = 3, join: str = "\n", head: str = "") -> str:
        """A private key in its armour; `kind` is what stands before `PRIVATE KEY`."""
        block = f"{kind}PRIVATE" + " KEY"
        body = [self.text(64, BASE64) for _ in range(lines)]
        return join.join([f"-----BEGIN {block}-----", *([head] if head else []), *body]) + join


def tokens(forge: Forge) -> list[tuple[str, str]]:
    """At least three keys for every rule that knows a form: (rule, key)."""
    t = forge.text
    return [
        ("openai-key", "sk-" + "proj-" + t(48, URLSAFE) + "T3Blbk" + "FJ" + t(48, URLSAFE)),
        ("openai-key", "sk-" + "svcacct-" + t(60, URLSAFE)),
        ("openai-key", "sk-" + "admin-" + t(58, URLSAFE)),
        ("openai-key", "sk-" + t(20) + "T3Blbk" + "FJ" + t(20)),
        ("openai-key", "sk-" + t(32, HEX)),
        ("anthropic-key", "sk-" + "ant-api03-" + t(93, URLSAFE) + "AA"),
        ("anthropic-key", "sk-" + "ant-admin01-" + t(93, URLSAFE) + "AA"),
        ("anthropic-key", "sk-" + "ant-oat01-" + t(80, URLSAFE) + "AA"),
        *(("openrouter-key", "sk-" + "or-v1-" + t(64, HEX)) for _ in range(3)),
        *(("hugging-face-token", "hf" + "_" + t(34, LETTERS)) for _ in range(2)),
        ("hugging-face-token", "api_" + "org_" + t(34, LETTERS)),
        *(("groq-key", "gsk" + "_" + t(52)) for _ in range(3)),
        *(("replicate-token", "r8" + "_" + t(37)) for _ in range(3)),
        *(("perplexity-key", "pplx" + "-" + t(48)) for _ in range(3)),
        *(("xai-key", "xai" + "-" + t(80)) for _ in range(3)),
        *(("nvidia-key", "nvapi" + "-" + t(64, URLSAFE)) for _ in range(3)),
        ("langsmith-key", "lsv2" + "_pt_" + t(32, HEX) + "_" + t(10, HEX)),
        *(("langsmith-key", "lsv2" + "_sk_" + t(32, HEX) + "_" + t(10, HEX)) for _ in range(2)),
        *(("pinecone-key", "pcsk" + "_" + t(6) + "_" + t(60)) for _ in range(3)),
        ("tavily-key", "tvly" + "-" + t(32)),
        *(("tavily-key", "tvly" + "-dev-" + t(32)) for _ in range(2)),
        *(("github-token", f"gh{kind}" + "_" + t(36)) for kind in "pousr"),
        ("github-token", "github" + "_pat_" + t(22) + "_" + t(59)),
        *(
            ("gitlab-token", f"gl{kind}" + "-" + t(20, URLSAFE))
            for kind in ("pat", "dt", "rt", "ptt", "cbt", "agent", "ft", "soat")
        ),
        *(("npm-token", "npm" + "_" + t(36)) for _ in range(3)),
        *(("pypi-token", "pypi" + "-AgEIcHlwaS5vcmc" + t(120, URLSAFE)) for _ in range(3)),
        *(("rubygems-key", "rubygems" + "_" + t(48, HEX)) for _ in range(3)),
        *(("docker-token", "dckr" + "_pat_" + t(27, URLSAFE)) for _ in range(2)),
        ("docker-token", "dckr" + "_oat_" + t(32, URLSAFE)),
        *(("atlassian-token", "ATATT3" + "xFf" + t(180, URLSAFE)) for _ in range(3)),
        *(("postman-key", "PMAK" + "-" + t(24, HEX) + "-" + t(34, HEX)) for _ in range(3)),
        *(("linear-key", "lin" + "_api_" + t(40)) for _ in range(3)),
        *(("notion-token", "ntn" + "_" + t(46)) for _ in range(3)),
        *(("sentry-token", f"sntry{kind}" + "_" + t(80)) for kind in "sus"),
        *(("grafana-token", "glsa" + "_" + t(32) + "_" + t(8, HEX)) for _ in range(2)),
        ("grafana-token", "glc" + "_" + t(80)),
        *(("aws-access-key-id", "AKIA" + t(16, BASE32)) for _ in range(2)),
        ("aws-access-key-id", "ASIA" + t(16, BASE32)),
        *(("google-api-key", "AIza" + t(35, URLSAFE)) for _ in range(3)),
        *(("google-oauth-secret", "GOCSPX" + "-" + t(28, URLSAFE)) for _ in range(3)),
        *(("google-oauth-token", "ya29" + "." + t(120, URLSAFE)) for _ in range(3)),
        *(("digitalocean-token", f"do{kind}" + "_v1_" + t(64, HEX)) for kind in "opr"),
        *(("databricks-token", "dapi" + t(32, HEX)) for _ in range(2)),
        ("databricks-token", "dapi" + t(32, HEX) + "-2"),
        *(("vault-token", "hvs" + "." + t(90, URLSAFE)) for _ in range(2)),
        ("vault-token", "hvb" + "." + t(90, URLSAFE)),
        *(("terraform-token", t(14) + ".atlas" + "v1." + t(67, URLSAFE)) for _ in range(3)),
        *(("supabase-token", "sbp" + "_" + t(40, HEX)) for _ in range(3)),
        *(("age-key", "AGE-SECRET" + "-KEY-1" + t(58, UPPER)) for _ in range(3)),
        *(("slack-token", f"xox{kind}" + "-" + t(12, "123456789") + "-" + t(24)) for kind in "abp"),
        ("slack-token", "xapp" + "-1-A" + t(9, UPPER) + "-" + t(12, "1234567") + "-" + t(64, HEX)),
        *(("stripe-key", f"{kind}k" + "_live_" + t(24)) for kind in "sr"),
        ("stripe-key", "sk" + "_test_" + t(99)),
        ("stripe-key", "whsec" + "_" + t(32)),
        *(("sendgrid-key", "SG" + "." + t(22, URLSAFE) + "." + t(43, URLSAFE)) for _ in range(3)),
        *(("twilio-key", "SK" + t(32, HEX)) for _ in range(3)),
        *(("telegram-bot-token", t(10, "123456789") + ":AA" + t(33, URLSAFE)) for _ in range(3)),
        *(("discord-token", forge.discord()) for _ in range(3)),
        *(("shopify-token", f"shp{kind}" + "_" + t(32, HEX)) for kind in ("at", "ca", "ss")),
        *(("square-token", "sq0" + "atp-" + t(22, URLSAFE)) for _ in range(2)),
        ("square-token", "sq0" + "csp-" + t(43, URLSAFE)),
        *(("mailgun-key", "key" + "-" + t(32, HEX)) for _ in range(3)),
        *(("newrelic-key", "NRAK" + "-" + t(27, UPPER)) for _ in range(3)),
        *(("json-web-token", forge.jwt()) for _ in range(3)),
    ]


def named(forge: Forge) -> list[tuple[str, str]]:
    """At least three texts for every rule that needs what stands around a secret: (rule, text)."""
    t = forge.text
    secret = [t(39, BASE64) + "q" for _ in range(4)]
    hook = "https://hooks.sl" + "ack.com/services/"
    discord = "https://discord.com/api/" + "webhooks/"
    return [
        ("aws-secret-key", f"AWS_SECRET_ACCESS_KEY={secret[0]}\n"),
        ("aws-secret-key", f"aws_secret_access_key = {secret[1]}\n"),
        ("aws-secret-key", f'"aws_secret_access_key": "{secret[2]}",'),
        ("aws-secret-key", f"awsSecretKey: '{secret[3]}'"),
        *(("azure-storage-key", f"AccountName=a;AccountKey={t(86, BASE64)}==;x") for _ in "123"),
        *(
            ("azure-shared-access-signature", f"https://a.b/c?sv=2022&sig={t(43)}{end}&se=1")
            for end in ("%3D", "=", "%3D")
        ),
        *(("slack-webhook", f"{hook}T{t(8, UPPER)}/B{t(10, UPPER)}/{t(24)}") for _ in "123"),
        *(("discord-webhook", f"{discord}{t(18, '123456789')}/{t(68, URLSAFE)}") for _ in "123"),
        ("private-key", forge.pem("RSA ")),
        ("private-key", forge.pem("OPENSSH ")),
        ("private-key", forge.pem("")),
        ("private-key", forge.pem("EC ", join="\r\n")),
        ("private-key", '{"private_key": "' + forge.pem("", join="\\n") + '"}'),
        ("private-key", forge.pem("RSA ", head="Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128,0\n")),
        ("private-key", forge.pem("PGP ").replace("KEY-", "KEY BLOCK-", 1)),
        ("url-password", f"git clone https://me:{t(12)}@git.internal/repo.git"),
        ("url-password", f"DATABASE_URL=postgres://svc:{t(16)}@db.internal:5432/x"),
        ("url-password", f"redis://:{t(16)}@cache:6379/0"),
        ("assigned", f'password = "{t(8)}7x"'),
        ("assigned", f"DB_PASSWORD={t(9)}4z\n"),
        ("assigned", f'{{"api_key": "{t(24)}"}}'),
        ("assigned", f"client_secret: {t(30)}\n"),
        ("assigned", f"  token => '{t(20)}',"),
        ("assigned", f"export SERVICE_API_KEY={t(32)}\n"),
    ]
