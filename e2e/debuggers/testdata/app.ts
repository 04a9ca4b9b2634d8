import * as http from 'http';

http.createServer((request, response) => {
  if (request.url === '/healthz') {
    response.end();
    return;
  }
  const name: string | null = new URL(request.url!, 'http://x').searchParams.get('name');
  const greeting: string = 'hello ' + name;
  response.end(greeting); // breakpoint
}).listen(8080);
