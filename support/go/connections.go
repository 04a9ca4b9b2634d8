package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// connections counts the established connections to a local TCP port from the tables tcp and tcp6 of /proc/<pid>/net
// (proc(5)). A socket is in one of them, by its own family. It fails if there is neither.
func connections(procNet fs.FS, port int) (int, error) {
	const established = "01"
	n, tables := 0, 0
	for _, table := range []string{"tcp", "tcp6"} {
		f, err := procNet.Open(table)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return 0, err
		}
		tables++
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			// "  0: 0100007F:DBCC 0100007F:9C40 01 ...": number, local address, remote address, state
			fields := strings.Fields(lines.Text())
			if len(fields) < 4 || fields[3] != established {
				continue
			}
			_, local, _ := strings.Cut(fields[1], ":")
			if p, err := strconv.ParseUint(local, 16, 16); err == nil && int(p) == port {
				n++
			}
		}
		err = lines.Err()
		_ = f.Close() // it was only read
		if err != nil {
			return 0, fmt.Errorf("reading the connections in %s: %w", table, err)
		}
	}
	if tables == 0 {
		return 0, errors.New("reading the connections: there are no tables tcp and tcp6")
	}
	return n, nil
}
