require "socket"
require "uri"

def answer(path)
  uri = URI(path)
  return "" if uri.path == "/healthz"

  greeting = "hello " + URI.decode_www_form(uri.query).to_h["name"]
  greeting + " " + ARGV.inspect # breakpoint
end

server = TCPServer.new("0.0.0.0", 8080)
loop do
  Thread.new(server.accept) do |client|
    path = client.gets.split[1]
    nil until client.gets.strip.empty?
    body = answer(path)
    client.write("HTTP/1.1 200 OK\r\nContent-Length: #{body.bytesize}\r\nConnection: close\r\n\r\n#{body}")
  ensure
    client.close
  end
end
