"""Greets whoever asks."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse


class Greeter(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        url = urlparse(self.path)
        if url.path != "/healthz":
            greeting = "hello " + parse_qs(url.query).get("name", [""])[0]
            self.wfile.write(greeting.encode())  # breakpoint


def main():
    ThreadingHTTPServer(("", 8080), Greeter).serve_forever()


if __name__ == "__main__":
    main()
