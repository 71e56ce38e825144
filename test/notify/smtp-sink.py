"""A mail server on loopback, Debian's aiosmtpd, that keeps what it gets.

    smtp-sink.py PORT [starttls=CERT,KEY] [implicit=CERT,KEY] [auth] [refuse=CODE] [refuse-auth]

Prints its port, and then a line of JSON for each mail.
"""
import json
import socket
import ssl
import sys
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

options = dict(word.partition("=")[::2] for word in sys.argv[2:])


class Sink:
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if "refuse" in options:
            return options["refuse"] + " no such luck"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "text": envelope.original_content.decode("latin-1"),
            "tls": session.ssl is not None or "implicit" in options,
            "user": session.auth_data.login.decode() if session.auth_data else None,
        }
        print(json.dumps(mail), flush=True)
        return "250 kept"


def authenticate(server, session, envelope, mechanism, data):
    fine = isinstance(data, LoginPassword) and (data.login, data.password) == (b"rcron", b"s3cret:word")
    return AuthResult(success=fine and "refuse-auth" not in options, auth_data=data, handled=False)


def context(name):
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(*options[name].split(","))
    return made


settings = {}
if "starttls" in options:
    settings["tls_context"] = context("starttls")
if "auth" in options:
    settings.update(authenticator=authenticate, auth_required=True, auth_require_tls="starttls" in options)
if "implicit" in options:
    settings["ssl_context"] = context("implicit")


class BoundController(Controller):
    """Listens on a socket that is bound already: a port that was free a moment ago may be somebody else's by now."""

    def _create_server(self):
        return self.loop.create_server(self._factory_invoker, sock=listener, ssl=self.ssl_context)


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
port = listener.getsockname()[1]
controller = BoundController(Sink(), hostname="127.0.0.1", port=port, **settings)
controller.start()
print(json.dumps({"port": port}), flush=True)
while True:
    time.sleep(3600)
