const http = require('http');

http.createServer((request, response) => {
  if (request.url === '/healthz') {
    response.end();
    return;
  }
  const name = new URL(request.url, 'http://x').searchParams.get('name');
  const greeting = 'hello ' + name;
  response.end(greeting + ' ' + JSON.stringify([process.argv.slice(2), process.env.NODE_OPTIONS])); // breakpoint
}).listen(8080);
