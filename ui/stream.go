package ui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humahttprouter"

	"gapless/store"
)

// streamPath answers with what changes, as server-sent events, for as long as
// the client listens.
const streamPath = "/api/v1/stream"

// streams are the clients that listen. Each is told by its own request, which
// reads what changed since it last did and holds one batch at most: one that is
// slow hears of many changes as one, and is dropped where it takes nothing.
type streams struct {
	ended     chan struct{} // closed: no more are served
	end       func()
	places    chan struct{}
	heartbeat time.Duration // keeps proxies from hanging up
	patience  time.Duration // with a client that takes nothing
	pause     time.Duration // after a change, so that the next ones come with it
}

// mostStreams bounds them: each costs some tens of kilobytes.
const mostStreams = 400

func newStreams() streams {
	ended := make(chan struct{})
	return streams{
		ended: ended, end: sync.OnceFunc(func() { close(ended) }), places: make(chan struct{}, mostStreams),
		heartbeat: 15 * time.Second, patience: 5 * time.Second, pause: 200 * time.Millisecond,
	}
}

// EndStreams hangs up on the clients that listen to changes, so that a server
// can shut down. They come back by themselves.
func (s *Server) EndStreams() { s.streams.end() }

type streamIn struct {
	LastEventID string `header:"Last-Event-ID" maxLength:"100" doc:"the id of the last event that was received: what happened since is told first"`
}

// stream begins to tell a client what changes.
func (s *Server) stream(ctx context.Context, in *streamIn) (*huma.StreamResponse, error) {
	newest, err := s.Store.Newest(ctx)
	if err != nil {
		return nil, s.failed("changes could not be read", err)
	}
	select {
	case s.streams.places <- struct{}{}:
	default:
		return nil, huma.Error503ServiceUnavailable(fmt.Sprintf("%d clients listen already; try again later", mostStreams))
	}
	f, missed := followFrom(s.Store, in.LastEventID, newest)
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer func() { <-s.streams.places }()
		_, w, _ := humahttprouter.Unwrap(ctx)
		t := &teller{ResponseWriter: w, control: http.NewResponseController(w), patience: s.streams.patience}
		if err := t.begin(missed, f.id()); err == nil && !headOnly(ctx.Context()) {
			s.tell(ctx, t, f)
		}
	}}, nil
}

// tell tells changes until the client, its token or the server is gone.
func (s *Server) tell(ctx huma.Context, t *teller, f *follower) {
	changes, cancel := s.Store.Watch(store.Deliveries | store.Gaps | store.Runs)
	defer cancel()
	alive := time.NewTicker(s.streams.heartbeat)
	defer alive.Stop()
	look := time.NewTicker(time.Second) // another process may have changed the store
	defer look.Stop()
	for {
		if err := f.tellAll(ctx.Context(), t.tell); err != nil {
			s.Log.Debug("a client no longer listens to changes", "err", err)
			return
		}
		select {
		case <-ctx.Context().Done():
			return
		case <-s.streams.ended:
			return
		case <-alive.C:
			if t.comment("still here") != nil || !s.stillAllowed(ctx) {
				return
			}
		case <-look.C:
		case <-changes:
			s.streams.linger(ctx.Context())
		}
	}
}

// linger lets the changes gather that come right after one.
func (s streams) linger(ctx context.Context) {
	pause := time.NewTimer(s.pause)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	case <-s.ended:
	}
}

// stillAllowed says that the client's token was not removed since, or that the
// person is still logged in.
func (s *Server) stillAllowed(ctx huma.Context) bool {
	r, _, _ := humahttprouter.Unwrap(ctx)
	_, err := s.callerOf(r)
	return !errors.Is(err, store.ErrNotFound)
}

// teller writes server-sent events to one client.
type teller struct {
	http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
}

// begin sends the header. What the client missed and can't be told any more it
// has to read anew.
func (t *teller) begin(missed bool, id string) error {
	h := t.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")                               // nginx would hold events back
	if err := t.control.SetReadDeadline(time.Time{}); err != nil { // the server's is for requests
		return err
	}
	if missed {
		return t.tell([]message{{"reload", id, struct{}{}}})
	}
	return t.comment("changes follow")
}

func (t *teller) comment(text string) error { return t.send(fmt.Appendf(nil, ": %s\n\n", text)) }

// tell sends events in one write.
func (t *teller) tell(events []message) error {
	var text []byte
	for _, e := range events {
		data, err := json.Marshal(e.data)
		if err != nil {
			return err
		}
		text = fmt.Appendf(text, "event: %s\nid: %s\ndata: %s\n\n", e.event, e.id, data)
	}
	return t.send(text)
}

func (t *teller) send(text []byte) error {
	if err := t.control.SetWriteDeadline(time.Now().Add(t.patience)); err != nil {
		return err
	}
	if _, err := t.Write(text); err != nil {
		return err
	}
	return t.control.Flush()
}

// streamOperation describes the stream, which huma can't see for itself.
func (s *Server) streamOperation(api huma.API) huma.Operation {
	var events []*huma.Schema
	for name, data := range map[string]any{"order": OrderChange{}, "delivery": DeliveryChange{}, "gap": GapChange{}, "run": RunChange{}, "reload": struct{}{}} {
		events = append(events, &huma.Schema{
			Type: huma.TypeObject, Title: name, Required: []string{"event", "id", "data"},
			Properties: map[string]*huma.Schema{
				"event": {Type: huma.TypeString, Enum: []any{name}},
				"id":    {Type: huma.TypeString},
				"data":  api.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(data), true, name),
			},
		})
	}
	slices.SortFunc(events, func(a, b *huma.Schema) int { return slices.Compare([]byte(a.Title), []byte(b.Title)) })
	return huma.Operation{
		OperationID: "stream", Method: http.MethodGet, Path: streamPath, Summary: "What changes, as server-sent events",
		Description: "Ends only with the client. A client that was away for too long is told reload first: it should read its lists anew.",
		Errors:      failures(streamPath), Responses: map[string]*huma.Response{"200": {
			Description: "Events, and a comment every 15 seconds",
			Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{OneOf: events}}}},
		}},
	}
}
