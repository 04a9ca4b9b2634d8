// A web server for Deno and for Bun.
function serve(request) {
  const url = new URL(request.url);
  if (url.pathname === '/healthz') {
    return new Response('');
  }
  const greeting = 'hello ' + url.searchParams.get('name');
  return new Response(greeting); // breakpoint
}

if (globalThis.Bun) {
  Bun.serve({ port: 8080, fetch: serve });
} else {
  Deno.serve({ port: 8080 }, serve);
}
