"""The few S3 calls the local stack and the tests need, signed by SigV4 with stdlib only."""
import datetime
import hashlib
import hmac
import html
import http.client
import re
import urllib.parse
from typing import NamedTuple


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Place(NamedTuple):
    """A server on 127.0.0.1; tls: the SSL context it is spoken to under, None: it is not."""
    port: int
    tls: object = None


def request(place, keys, method, path, query=None, body=b""):
    """One signed request. keys = (access, secret). -> (status, headers, body)."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    host, digest = f"127.0.0.1:{place.port}", hashlib.sha256(body).hexdigest()
    path = urllib.parse.quote(path)
    query = urllib.parse.urlencode(sorted((query or {}).items()), quote_via=urllib.parse.quote)
    headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": now}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = "\n".join([method, path, query, lines, names, digest])
    scope = f"{now[:8]}/us-east-1/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + keys[1]).encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={keys[0]}/{scope}, "
                                f"SignedHeaders={names}, Signature={signature}")
    conn = (http.client.HTTPSConnection("127.0.0.1", place.port, timeout=10, context=place.tls)
            if place.tls else http.client.HTTPConnection("127.0.0.1", place.port, timeout=10))
    try:
        conn.request(method, path + ("?" + query if query else ""), body=body, headers=headers)
        answer = conn.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        conn.close()


def list_keys(ask, bucket):
    """Every object key of the bucket; ask: request without its first two arguments."""
    found, query = [], {"list-type": "2"}
    while True:
        status, _, body = ask("GET", f"/{bucket}", query)
        if status != 200:
            raise OSError(f"S3 list answers {status}: {body[:200]!r}")
        text = body.decode()
        found += [html.unescape(k) for k in re.findall(r"<Key>([^<]*)</Key>", text)]
        more = re.search(r"<NextContinuationToken>([^<]*)<", text)
        if not more:
            return found
        query["continuation-token"] = more.group(1)
