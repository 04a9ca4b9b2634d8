async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    if scope["path"] == "/healthz":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    name = scope["query_string"].decode().partition("name=")[2]
    greeting = "hello " + name
    await send({"type": "http.response.start", "status": 200, "headers": []})  # breakpoint
    await send({"type": "http.response.body", "body": greeting.encode()})
