package erptest

import (
	"io"
	"net/http"
	"strconv"
)

// reply is one whole HTTP answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// exchange is one writing request and what may become of it.
type exchange struct {
	pass    func() reply // lets it take effect and tells the ERP's answer
	met     func()       // called once, when the fault was met
	gone    func()       // waits until the client has given up
	nothing []byte       // the body of OKButNothing
}

// meet lets the request meet f and answers accordingly, or not at all. It
// panics with http.ErrAbortHandler to cut the connection.
func (x exchange) meet(f Fault, w http.ResponseWriter) {
	switch f {
	case None:
		answer := x.pass()
		x.met()
		answer.write(w)
	case TimeoutBeforeEffect:
		x.met()
		x.gone()
		panic(http.ErrAbortHandler)
	case TimeoutAfterEffect:
		x.pass()
		x.met()
		x.gone()
		panic(http.ErrAbortHandler)
	case TimeoutLateEffect:
		x.met()
		x.gone()
		x.pass()
		panic(http.ErrAbortHandler)
	case CutBeforeEffect:
		x.met()
		panic(http.ErrAbortHandler)
	case CutAfterEffect:
		answer := x.pass()
		x.met()
		answer.writeHalf(w)
		panic(http.ErrAbortHandler)
	default:
		x.met()
		refuse(f, x.nothing).write(w)
	}
}

// gone waits until the request's client has given up, or the server closes.
// The request's body must have been read.
func gone(r *http.Request, closed <-chan struct{}) {
	select {
	case <-r.Context().Done():
	case <-closed:
	}
}

func (a reply) write(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	w.Write(a.body)
}

// writeHalf promises the whole answer and sends half of it.
func (a reply) writeHalf(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)+1))
	w.WriteHeader(a.status)
	w.Write(a.body[:len(a.body)/2])
	http.NewResponseController(w).Flush()
}

// refuse is the answer of a fault that has one and no effect.
func refuse(f Fault, nothing []byte) reply {
	a := reply{http.StatusOK, http.Header{"Content-Type": {"application/json"}}, nothing}
	after := strconv.Itoa(int(RetryAfter.Seconds()))
	switch f {
	case TooManyRequests:
		a.status, a.body = http.StatusTooManyRequests, []byte(`{"error":"slow down"}`)
		a.header.Set("Retry-After", after)
	case ServerError:
		a.status, a.body = http.StatusInternalServerError, []byte(`{"error":"internal error"}`)
	case Unavailable:
		a.status, a.body = http.StatusServiceUnavailable, []byte("down for maintenance")
		a.header.Set("Content-Type", "text/plain")
		a.header.Set("Retry-After", after)
	case HTML:
		a.body = []byte("<!doctype html><title>Sign in</title><form>Please sign in</form>")
		a.header.Set("Content-Type", "text/html; charset=utf-8")
	}
	return a
}

// readAll reads a request's body, or cuts the connection of a client that
// stopped in the middle.
func readAll(r *http.Request) []byte {
	body, err := io.ReadAll(io.LimitReader(r.Body, 16<<20))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return body
}
