"""Sends mails with Python's smtplib: smtp_client.py <port or path> <authority> <sender> <file> <recipient> ..., as many files as `+` parts them.

Each mail after the first goes over the same connection. SMTP_LOGIN may have `user:password`, and SMTP_CHALLENGE makes the client wait for the server's 334. Prints what the server advertises, and of each mail `sent` or the server's refusal.
"""

import os
import smtplib
import socket
import ssl
import sys

user, _, password = os.environ.get("SMTP_LOGIN", "").partition(":")
where, authority, sender, files, *recipients = sys.argv[1:]


class Client(smtplib.SMTP):
    def _get_socket(self, host, port, timeout):
        if where.isdigit():
            return super()._get_socket(host, port, timeout)
        connected = socket.socket(socket.AF_UNIX)
        connected.connect(where)
        return connected


with Client("localhost", int(where) if where.isdigit() else 0) as client:
    client.ehlo()
    print(sorted(client.esmtp_features))
    client.starttls(context=ssl.create_default_context(cafile=authority))
    client.ehlo()
    print(sorted(client.esmtp_features))
    if user:
        try:
            client.login(user, password, initial_response_ok="SMTP_CHALLENGE" not in os.environ)
            print("logged in")
        except smtplib.SMTPAuthenticationError as error:
            print(error.smtp_code)
    for file in files.split("+"):
        with open(file, "rb") as message:
            try:
                client.sendmail(sender, recipients, message.read())
                print("sent")
            except smtplib.SMTPResponseException as error:
                print(error.smtp_code)
