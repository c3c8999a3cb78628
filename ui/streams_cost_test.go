package ui

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mostStreamMemory is what 200 streams may cost, in bytes.
const mostStreamMemory = 50 << 20

// openStream opens a stream over a connection of its own and waits until it has
// begun; the client's side costs no goroutine and little memory. One that is deaf
// has no room for what it does not read.
func (s *site) openStream(deaf bool) net.Conn {
	s.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(s, err)
	s.Cleanup(func() { conn.Close() })
	if deaf {
		require.NoError(s, conn.(*net.TCPConn).SetReadBuffer(4096))
	}
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: gapless\r\nAuthorization: Bearer %s\r\n\r\n", streamPath, s.tokens["viewer"])
	require.NoError(s, err)
	var head []byte
	for b := make([]byte, 512); !strings.Contains(string(head), "changes follow"); {
		n, err := conn.Read(b)
		require.NoError(s, err, "%s", head)
		head = append(head, b[:n]...)
	}
	require.True(s, strings.HasPrefix(string(head), "HTTP/1.1 200"), "%s", head)
	return conn
}

// memory is what the process has in use, in bytes: heap and stacks.
func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// Two hundred people have pages open, half of whom read nothing of what they are
// told, while some hundred orders change.
func TestTwoHundredStreamsCostLittle(t *testing.T) {
	const streams, orders = 200, 450
	s := closedSite(t)
	s.ui.streams.patience = time.Minute // those who read nothing stay, with all that they cost
	var accepted atomic.Int64
	s.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if accepted.Add(1)%2 == 0 {
			require.NoError(t, c.(*net.TCPConn).SetWriteBuffer(4096))
		}
		return ctx
	}
	s.Start()
	before := memory()
	var reading []net.Conn
	for i := range streams {
		if conn := s.openStream(i%2 == 1); i%2 == 0 {
			reading = append(reading, conn)
		}
	}
	require.Equal(t, streams, len(s.ui.streams.places))
	idle := memory()
	for first := int64(1); first < orders; first += 90 {
		s.tell(keys("acme", first, first+89)...)
	}
	last := fmt.Sprintf(`"id":%d,`, orders)
	for _, conn := range reading {
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(2*time.Minute)))
		lines := bufio.NewScanner(conn)
		for lines.Scan() && !strings.Contains(lines.Text(), last) {
		}
		require.NoError(t, lines.Err())
	}
	busy := memory()
	t.Logf("%d streams: %.1f MiB while nothing happens, %.1f MiB after %d orders, of which half of them read nothing", streams, mib(before, idle), mib(before, busy), orders)
	require.Less(t, mib(before, idle), float64(mostStreamMemory)/(1<<20))
	require.Less(t, mib(before, busy), float64(mostStreamMemory)/(1<<20))
	require.Equal(t, streams, len(s.ui.streams.places), "all of them are still there")
}

func mib(from, to uint64) float64 { return (float64(to) - float64(from)) / (1 << 20) }
