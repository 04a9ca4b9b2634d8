package debuggers

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pydevdClient speaks pydevd's line protocol.
type pydevdClient struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	seq  int
}

func (c *pydevdClient) send(command, args string) {
	c.t.Helper()
	c.seq += 2 // odd numbers are the client's
	if _, err := fmt.Fprintf(c.conn, "%s\t%d\t%s\n", command, c.seq-1, args); err != nil {
		c.t.Fatal(err)
	}
}

// wait returns the next message of a command.
func (c *pydevdClient) wait(command string) string {
	c.t.Helper()
	if c.r == nil {
		c.r = bufio.NewReader(c.conn)
	}
	for {
		c.conn.SetReadDeadline(time.Now().Add(60 * time.Second))
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("waiting for pydevd's message %s: %v", command, err)
		}
		if strings.HasPrefix(line, command+"\t") {
			return line
		}
	}
}

// pydevdVersion is the version that the support image brings; the protocol does not tell it.
func pydevdVersion(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(shared.repo, "support", "python", "wheels.lock"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), " pydevd-")
	version, _, _ := strings.Cut(rest, "-")
	return version
}
