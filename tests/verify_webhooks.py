"""Verifies messages with the reference library of Standard Webhooks.

usage: python verify_webhooks.py FILE SECRET   (a JSON list of {headers, body})  ->  how many there are
"""

import json
import sys

from standardwebhooks import Webhook, WebhookVerificationError

STRANGER = "whsec_c3RyYW5nZXJzIGRvIG5vdCBrbm93IHRoaXM="

with open(sys.argv[1], encoding="utf-8") as file:
    messages = json.load(file)
for message in messages:
    verified = Webhook(sys.argv[2]).verify(message["body"], message["headers"])
    if verified != json.loads(message["body"]):
        raise SystemExit(f"another message was verified: {verified}")
    for secret, body in [(STRANGER, message["body"]), (sys.argv[2], message["body"] + " ")]:
        try:
            Webhook(secret).verify(body, message["headers"])
        except WebhookVerificationError:
            continue
        raise SystemExit(f"anybody could have signed {message}")
print(len(messages))
