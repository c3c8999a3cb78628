package store

import (
	"runtime"
	"sync"
)

// packers are a few goroutines that pack the bodies of all requests. Compressing
// takes 64 KB of stack: in these it stays in the processor's cache, in each
// request's own goroutine it would be grown and shrunk again and again.
type packers struct {
	codec *codec
	jobs  chan *packing
	stop  chan struct{}
	ended sync.WaitGroup
}

type packing struct {
	plain, blob []byte
	done        chan struct{}
}

var packings = sync.Pool{New: func() any { return &packing{done: make(chan struct{}, 1)} }}

func startPackers(c *codec) *packers {
	p := &packers{codec: c, jobs: make(chan *packing), stop: make(chan struct{})}
	for range runtime.GOMAXPROCS(0) {
		p.ended.Go(p.run)
	}
	return p
}

func (p *packers) run() {
	for {
		select {
		case x := <-p.jobs:
			x.blob = p.codec.pack(x.plain)
			x.done <- struct{}{}
		case <-p.stop:
			return
		}
	}
}

// pack is codec.pack.
func (p *packers) pack(plain []byte) []byte {
	x := packings.Get().(*packing)
	defer packings.Put(x)
	x.plain = plain
	select {
	case p.jobs <- x:
	case <-p.stop:
		return p.codec.pack(plain)
	}
	<-x.done
	blob := x.blob
	x.plain, x.blob = nil, nil
	return blob
}

func (p *packers) close() {
	close(p.stop)
	p.ended.Wait()
}
