import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/healthz":
            self.send_response(200)
            self.end_headers()
            return
        name = parse_qs(urlparse(self.path).query).get("name", [""])[0]
        greeting = "hello " + name
        self.send_response(200)  # breakpoint
        self.end_headers()
        self.wfile.write(f"{greeting} {sys.argv[1:]}".encode())


ThreadingHTTPServer(("", 8080), Handler).serve_forever()
