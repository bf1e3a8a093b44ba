#!/usr/bin/env python3
"""Writes the SigV4 test vectors of this folder with botocore, a signer that shares no code with Corso's.

Usage: python make.py [FOLDER]     (needs botocore; FOLDER defaults to this file's)

One folder per case, in the layout of the public aws-signing-test-suite: context.json, request.txt, and
{header,query}-{canonical-request,string-to-sign,signature,signed-request}.txt. The request line of request.txt holds the
path as it is sent (percent-encoded once, never normalised), as S3 signs it.
"""

import datetime
import hashlib
import json
import pathlib
import sys
from urllib.parse import quote, urlsplit

import botocore.auth
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

AKID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
HOST = "examplebucket.s3.amazonaws.com"
STAMP = "2013-05-24T00:00:00Z"


class HeaderAuth(S3SigV4Auth):
    """botocore drops X-Amz-Date where there is a Date; the published example 2 has both."""

    unsigned = False

    def _set_necessary_date_headers(self, request):
        del request.headers["X-Amz-Date"]
        request.headers["X-Amz-Date"] = request.context["timestamp"]

    def _should_sha256_sign_payload(self, request):
        return not self.unsigned


class Case:
    def __init__(self, name, method="GET", key="test.txt", query=(), headers=(), body="", **context):
        self.name, self.method, self.key = name, method, key
        self.query, self.headers, self.body = list(query), list(headers), body
        self.region = context.get("region", "us-east-1")
        self.token = context.get("token")
        self.host = context.get("host", HOST)
        self.stamp = context.get("stamp", STAMP)
        self.expires = context.get("expires", 3600)
        self.unsigned = context.get("unsigned", False)
        # What the S3 documentation prints, for the published examples.
        self.published = context.get("published", {})

    def target(self):
        path = "/" + quote(self.key, safe="/-_.~")
        pairs = [f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" if v is not None else quote(k, safe="-_.~") for k, v in self.query]
        return path + ("?" + "&".join(pairs) if pairs else "")

    def request(self):
        request = AWSRequest(method=self.method, url=f"https://{self.host}{self.target()}", data=self.body.encode())
        request.headers["Host"] = self.host
        for name, value in self.headers:
            request.headers[name] = value
        return request

    def credentials(self):
        return Credentials(AKID, SECRET, self.token)


def text_of(method, target, headers, body):
    lines = [f"{method} {target} HTTP/1.1"] + [f"{name}:{value}" for name, value in headers]
    return "\n".join(lines) + "\n\n" + body


def run(auth, request, stamp):
    """Signs and gives the three steps."""
    steps = {}
    canonical, to_sign, signature = auth.canonical_request, auth.string_to_sign, auth.signature
    auth.canonical_request = lambda r: steps.setdefault("canonical-request", canonical(r))
    auth.string_to_sign = lambda r, c: steps.setdefault("string-to-sign", to_sign(r, c))
    auth.signature = lambda s, r: steps.setdefault("signature", signature(s, r))
    moment = datetime.datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
    botocore.auth.get_current_datetime = lambda *a, **k: moment
    auth.add_auth(request)
    return steps


def write(root, case):
    folder = root / case.name
    folder.mkdir(parents=True, exist_ok=True)
    credentials = {"access_key_id": AKID, "secret_access_key": SECRET}
    if case.token:
        credentials["token"] = case.token
    context = {
        "credentials": credentials,
        "expiration_in_seconds": case.expires,
        "normalize": False,
        "region": case.region,
        "service": "s3",
        "sign_body": not case.unsigned,
        "timestamp": case.stamp,
    }
    (folder / "context.json").write_text(json.dumps(context, indent=4) + "\n")
    plain = [("Host", case.host)] + case.headers
    (folder / "request.txt").write_text(text_of(case.method, case.target(), plain, case.body))

    request, auth = case.request(), HeaderAuth(case.credentials(), "s3", case.region)
    auth.unsigned = case.unsigned
    steps = run(auth, request, case.stamp)
    steps["signed-request"] = text_of(case.method, case.target(), request.headers.items(), case.body)
    check(case, "header", steps)
    for part, text in steps.items():
        (folder / f"header-{part}.txt").write_text(text)

    # botocore's presigner reads the query into a dictionary: repeated names would be lost.
    names = [k for k, _ in case.query]
    if len(set(names)) == len(names) and not case.body and case.method in ("GET", "PUT", "HEAD", "DELETE"):
        request = case.request()
        steps = run(S3SigV4QueryAuth(case.credentials(), "s3", case.region, expires=case.expires), request, case.stamp)
        parts = urlsplit(request.url)
        steps["signed-request"] = text_of(case.method, f"{parts.path}?{parts.query}", request.headers.items(), case.body)
        check(case, "query", steps)
        for part, text in steps.items():
            (folder / f"query-{part}.txt").write_text(text)


def check(case, kind, steps):
    want = case.published.get(kind)
    if want and steps["signature"] != want:
        sys.exit(f"{case.name}: {kind} signature {steps['signature']} is not the published {want}")


PUBLISHED = [
    Case("published-get-object", headers=[("Range", "bytes=0-9")],
         published={"header": "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"}),
    Case("published-put-object", "PUT", "test$file.text", body="Welcome to Amazon S3.",
         headers=[("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
         published={"header": "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"}),
    Case("published-get-lifecycle", key="", query=[("lifecycle", "")],
         published={"header": "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"}),
    Case("published-list-objects", key="", query=[("max-keys", "2"), ("prefix", "J")],
         published={"header": "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"}),
    Case("published-presigned-get", expires=86400,
         published={"query": "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"}),
]

KEYS = {
    "space": "a b  c", "plus": "a+b", "tilde": "~a~", "percent": "100%", "percent-escape": "a%20b", "unicode": "é/ü/日本語",
    "emoji": "🦀.txt", "sub-delims": "!'()*,;=&$", "gen-delims": ":@[]#?", "double-slash": "a//b", "leading-slash": "/a",
    "dot": "a/./b", "dot-dot": "a/../b", "trailing-dots": "a/..", "trailing-slash": "a/", "backslash": "a\\b", "quotes": "\"`'",
    "braces": "{a|b}^<c>", "unreserved": "AZaz09-_.~", "tab": "a\tb", "delete-char": "a\x7fb", "long": "k" * 1000,
    "sealed": "prefix/packs/9f/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "empty": "",
}
QUERIES = {
    "empty-value": [("uploads", "")], "no-equals": [("acl", None)], "sub-resource-pair": [("partNumber", "3"), ("uploadId", "a/b+c=")],
    "order": [("b", "1"), ("a", "2"), ("B", "3"), ("A", "4")], "prefix-names": [("a", "1"), ("a-b", "2"), ("a.b", "3"), ("a_", "4")],
    "repeated": [("k", "2"), ("k", "10"), ("k", "1")], "repeated-empty": [("k", ""), ("k", "a")],
    "odd-characters": [("prefix", "a b/+~%é!'()*"), ("delimiter", "/")], "unicode-name": [("ü", "é")],
    "listing": [("list-type", "2"), ("encoding-type", "url"), ("continuation-token", "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM="), ("prefix", "p/")],
}
HEADERS = {
    "inner-spaces": [("x-amz-meta-a", "  a   b  c  ")], "tabs": [("x-amz-meta-a", "a \t b")],
    "duplicates": [("x-amz-meta-a", "2"), ("x-amz-meta-a", "1"), ("X-Amz-Meta-A", "3")],
    "order": [("x-amz-meta-b", "1"), ("x-amz-meta-a", "2"), ("X-AMZ-Meta-C", "3")],
    "unsigned-ones": [("User-Agent", "corso"), ("Expect", "100-continue"), ("X-Amzn-Trace-Id", "t")],
    "empty-value": [("x-amz-meta-a", "")], "commas": [("x-amz-meta-a", "a,b"), ("x-amz-meta-a", "c")],
    "conditional-put": [("If-None-Match", "*"), ("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg==")],
    "range": [("Range", "bytes=262144-524287")],
}


def cases():
    yield from PUBLISHED
    for method in ("GET", "PUT", "HEAD", "DELETE", "POST"):
        yield Case(f"method-{method.lower()}", method, "a/b")
    for name, key in KEYS.items():
        yield Case(f"key-{name}", key=key)
    for name, query in QUERIES.items():
        yield Case(f"query-{name}", key="" if name == "listing" else "k", query=query)
    for name, headers in HEADERS.items():
        yield Case(f"headers-{name}", "PUT", "k", headers=headers)
    for region in ("eu-west-1", "cn-north-1", "auto", "us-gov-west-1"):
        yield Case(f"region-{region}", key="k", region=region)
    token = "IQoJb3JpZ2luX2VjEHoaCXVzLWVhc3QtMSJHMEUCIQ/+=="
    yield Case("token", key="k", token=token)
    yield Case("token-put", "PUT", "k", token=token, body="x", headers=[("Content-Type", "application/octet-stream")])
    yield Case("body-put", "PUT", "packs/aa", body="0123456789" * 100)
    yield Case("body-unicode", "PUT", "k", body="é日\n\r\n\n")
    yield Case("body-unsigned", "PUT", "k", body="not looked at", unsigned=True)
    delete = "<Delete><Object><Key>a&amp;b</Key></Object><Quiet>true</Quiet></Delete>"
    md5 = __import__("base64").b64encode(hashlib.md5(delete.encode()).digest()).decode()
    yield Case("batch-delete", "POST", "", query=[("delete", "")], body=delete, headers=[("Content-MD5", md5)])
    yield Case("path-style-port", key="bucket/k", host="localhost:9000")
    yield Case("ipv6-host", key="bucket/k", host="[::1]:9000")
    yield Case("leap-day", key="k", stamp="2024-02-29T23:59:59Z")
    yield Case("all-at-once", "GET", "a b/é+~%//..", query=[("versionId", "null"), ("k", "+ /")], region="ap-south-2", token=token,
               headers=[("Range", "bytes=0-0"), ("x-amz-meta-a", " a  b "), ("x-amz-request-payer", "requester")], expires=604800)


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
    count = 0
    for case in cases():
        write(folder, case)
        count += 1
    print(f"{count} cases in {folder}")
