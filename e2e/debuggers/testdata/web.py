from flask import Flask, request

app = Flask(__name__)


@app.route("/healthz")
def healthz():
    return ""


@app.route("/")
def index():
    name = request.args.get("name", "")
    greeting = "hello " + name
    return greeting  # breakpoint
