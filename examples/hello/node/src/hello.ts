import * as http from 'http';

interface Query {
  name: string;
}

function read(url: string): Query {
  return { name: new URL(url, 'http://localhost').searchParams.get('name') ?? '' };
}

http.createServer((request, response) => {
  if (request.url === '/healthz') {
    response.end();
    return;
  }
  const query: Query = read(request.url!);
  const greeting: string = 'hello ' + query.name;
  response.end(greeting); // breakpoint
}).listen(8080);
