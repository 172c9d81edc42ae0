#!/usr/bin/env python3
"""An HTTP server and its load, both over one connection of the loopback.

server.py serve PORT      answers every request with 200 bytes, until /stop
server.py load PORT N     N requests
server.py stop PORT
"""
import http.server
import socket
import sys

BODY = b"x" * 200


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # head and body in one packet: nobody waits for an ACK

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)
        if self.path == "/stop":
            self.close_connection = True
            self.server.stopped = True

    def log_message(self, *args):
        pass


def serve(port):
    server = http.server.HTTPServer(("127.0.0.1", port), Handler)
    server.stopped = False
    while not server.stopped:
        server.handle_request()


def load(port, n, path="/"):
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port)) as s:
        for _ in range(n):
            s.sendall(request)
            got = b""
            while not got.endswith(BODY):
                part = s.recv(65536)
                if not part:
                    sys.exit("the server has closed the connection")
                got += part


def main():
    what, port = sys.argv[1], int(sys.argv[2])
    if what == "serve":
        serve(port)
    elif what == "load":
        load(port, int(sys.argv[3]))
    else:
        load(port, 1, "/stop")


main()
