package watch

import (
	"errors"
	"io"
	"time"

	"github.com/gorilla/websocket"
)

// messages is a stream of bytes over a websocket's binary messages, whose borders mean nothing. It implements net.Conn.
type messages struct {
	*websocket.Conn
	rest io.Reader // what is left of the message that is being read
}

var errNotBinary = errors.New("the server sent a message that is not binary")

// Read implements io.Reader; the websocket's normal closure is the end of the stream.
func (m *messages) Read(p []byte) (int, error) {
	for {
		if m.rest == nil {
			kind, rest, err := m.NextReader()
			if websocket.IsCloseError(err, websocket.CloseNormalClosure) {
				return 0, io.EOF
			}
			if err != nil {
				return 0, err
			}
			if kind != websocket.BinaryMessage {
				return 0, errNotBinary
			}
			m.rest = rest
		}
		n, err := m.rest.Read(p)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		m.rest = nil
		if n > 0 {
			return n, nil
		}
	}
}

// Write implements io.Writer.
func (m *messages) Write(p []byte) (int, error) {
	if err := m.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close says that the stream ends, and closes the connection. It may be called again, and while others read and write.
func (m *messages) Close() error {
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = m.WriteControl(websocket.CloseMessage, bye, time.Now().Add(time.Second))
	return m.Conn.Close()
}

// SetDeadline implements net.Conn.
func (m *messages) SetDeadline(t time.Time) error {
	return errors.Join(m.SetReadDeadline(t), m.SetWriteDeadline(t))
}
