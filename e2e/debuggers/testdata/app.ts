import * as http from 'http';

http.createServer((request, response) => {
  const name: string | null = new URL(request.url!, 'http://x').searchParams.get('name');
  const greeting: string = 'hello ' + name;
  response.end(greeting); // breakpoint
}).listen(8080);
