package main

import (
	"net"
	"os"
	"testing"
	"testing/fstest"
	"time"
)

func TestConnectionsReadsTheTables(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	tcp := head +
		"   0: 00000000:DBCC 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 1\n" + // listens
		"   1: 0100007F:DBCC 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  0 0 2\n" + // counts
		"   2: 0100007F:9C40 0100007F:DBCC 01 00000000:00000000 00:00000000 00000000  0 0 3\n" + // its other end
		"   3: 0100007F:DBCC 0100007F:9C42 08 00000000:00000000 00:00000000 00000000  0 0 4\n" // the client left
	tcp6 := head +
		"   0: 0000000000000000FFFF00000100007F:DBCC 0000000000000000FFFF00000100007F:9C44 01 0 0\n" + // counts
		"   1: 0000000000000000FFFF00000100007F:DBCD 0000000000000000FFFF00000100007F:9C44 01 0 0\n" + "bad\n"
	for name, test := range map[string]struct {
		tables map[string]string
		want   int // -1 for an error
	}{
		"both":    {map[string]string{"tcp": tcp, "tcp6": tcp6}, 2},
		"no IPv6": {map[string]string{"tcp": tcp}, 1},
		"empty":   {map[string]string{"tcp": "", "tcp6": head}, 0},
		"neither": {nil, -1},
	} {
		files := fstest.MapFS{}
		for table, data := range test.tables {
			files[table] = &fstest.MapFile{Data: []byte(data)}
		}
		got, err := connections(files, 0xDBCC)
		if err != nil {
			got = -1
		}
		if got != test.want {
			t.Errorf("%s: %d (%v), want %d", name, got, err, test.want)
		}
	}
}

func TestConnectionsOfThisMachine(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", ":0"} {
		l, err := net.Listen("tcp", listen)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		port := l.Addr().(*net.TCPAddr).Port
		expect := func(want int) {
			t.Helper()
			var err error
			got := -1
			for end := time.Now().Add(patience); got != want && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				if got, err = connections(os.DirFS("/proc/self/net"), port); err != nil {
					t.Fatal(err)
				}
			}
			if got != want {
				t.Errorf("%s: %d connections, want %d", listen, got, want)
			}
		}
		expect(0)
		var conns []net.Conn
		for n := range 2 {
			conn := connect(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
			if conn == nil {
				t.Fatal("cannot connect")
			}
			defer conn.Close()
			conns = append(conns, conn)
			expect(n + 1)
		}
		conns[0].Close()
		expect(1)
	}
}
