from aiohttp import web

import voiceproxy
from voiceproxy import hookimpl


@hookimpl
def voiceproxy_setup(app):
    async def version(request):
        return web.json_response({"voiceproxy": voiceproxy.__version__})

    voiceproxy.add_route(app, "GET", "/version", version)
