async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    name = scope["query_string"].decode().partition("name=")[2]
    greeting = "hello " + name
    await send({"type": "http.response.start", "status": 200, "headers": []})  # breakpoint
    await send({"type": "http.response.body", "body": greeting.encode()})
