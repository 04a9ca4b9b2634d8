using System;
using System.IO;
using System.Net;
using System.Net.Sockets;

/// <summary>Greets whoever asks.</summary>
public static class Hello {
    public static void Main() {
        var listener = new TcpListener(IPAddress.Any, 8080);
        listener.Start();
        while (true) {
            using (var client = listener.AcceptTcpClient())
            using (var reader = new StreamReader(client.GetStream()))
            using (var writer = new StreamWriter(client.GetStream())) {
                var path = (reader.ReadLine() ?? "GET / HTTP/1.1").Split(' ')[1];
                while (!String.IsNullOrEmpty(reader.ReadLine())) { }
                var greeting = "hello " + path.Substring(path.IndexOf('=') + 1);
                writer.Write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + greeting); // breakpoint
            }
        }
    }
}
