# It is not ready before tornado's autoreload has executed it once more.
import asyncio
import os
import tempfile

import tornado.autoreload
import tornado.web

watched = os.path.join(tempfile.gettempdir(), "watched")
reloaded = os.path.exists(watched)


class Health(tornado.web.RequestHandler):
    def get(self):
        self.set_status(200 if reloaded else 503)


class Greeting(tornado.web.RequestHandler):
    def get(self):
        name = self.get_argument("name", "")
        greeting = "hello " + name
        self.write(greeting)  # breakpoint


async def main():
    tornado.web.Application([("/healthz", Health), ("/", Greeting)], autoreload=True).listen(8080)
    if not reloaded:
        open(watched, "w").close()
        await asyncio.sleep(2)  # it looks at the file twice a second
        os.utime(watched, (0, 0))
    await asyncio.Event().wait()


tornado.autoreload.watch(watched)
asyncio.run(main())
