package ui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humahttprouter"

	"gapless/store"
)

// feedPath is where ERPs that pull find what is theirs.
const feedPath = "/feed/"

// mostWait is how long a client may wait for something to be on offer.
const mostWait = time.Minute

// feed hangs the routes of ERPs that pull beside the API.
func (s *Server) feed(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "feed-orders", Method: http.MethodGet, Path: feedPath + "{erp}/orders", Summary: "What is on offer to an ERP that pulls",
		Description: "In the order of offering, each order once, at its newest version. Fetching changes nothing: what is not acknowledged is there again for a client that begins without a cursor. " +
			"With wait the answer comes as soon as there is something that the client does not know, by its cursor or its If-None-Match.",
		Errors: failures(feedPath + "{erp}/orders"), Responses: map[string]*huma.Response{"304": notSentAgain()},
	}, s.listOffers)
	huma.Register(api, huma.Operation{
		OperationID: "feed-ack", Method: http.MethodPost, Path: feedPath + "{erp}/ack", Summary: "Acknowledge orders that were fetched",
		Description: "Each acknowledgement is answered by itself, and may be sent again.",
		Errors:      append(failures(feedPath+"{erp}/ack"), http.StatusBadRequest, http.StatusRequestEntityTooLarge),
	}, s.acknowledge)
}

type offersIn struct {
	ERP     string `path:"erp" maxLength:"50"`
	Limit   int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
	Cursor  string `query:"cursor" maxLength:"50" doc:"cursor of the answer before; left out: all that is not acknowledged"`
	Wait    string `query:"wait" maxLength:"20" example:"60" doc:"seconds, or a duration like 1m, to wait for something to be on offer; at most 60 s"`
	IfKnown string `header:"If-None-Match" maxLength:"500" doc:"ETag of the answer before: 304 if it would be the same"`

	writer http.ResponseWriter
}

// Resolve keeps the connection at hand, whose deadlines are for short requests.
func (in *offersIn) Resolve(ctx huma.Context) []error {
	_, in.writer, _ = humahttprouter.Unwrap(ctx)
	return nil
}

type offersOut struct {
	Status int
	ETag   string `header:"ETag"`
	Cache  string `header:"Cache-Control"`
	Body   Offers
}

// Offers are orders for an ERP to fetch.
type Offers struct {
	Orders []Offer `json:"orders"`
	Cursor string  `json:"cursor" doc:"to go on behind these orders"`
}

// Offer is one order on offer.
type Offer struct {
	Ref       string          `json:"ref" doc:"the reference that the ERP's document is to carry, as a unique key"`
	Version   string          `json:"version" doc:"to acknowledge"`
	Seq       int64           `json:"seq" doc:"grows with each offer: of two of one reference, the greater is the newer"`
	Cancelled bool            `json:"cancelled" doc:"no live document is to remain"`
	Order     json.RawMessage `json:"order" doc:"as the mapping of this ERP makes it"`
}

// listOffers answers once there is something that the client does not know, or
// its wait, the client or the server ends.
func (s *Server) listOffers(ctx context.Context, in *offersIn) (*offersOut, error) {
	wait, after, err := s.readFeed(in)
	if err != nil {
		return nil, err
	}
	if wait > 0 {
		leave, err := s.stay(in, wait)
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	changes, cancel := s.Store.Watch(store.Offers)
	defer cancel()
	ctx, end := context.WithTimeout(ctx, wait)
	defer end()
	for {
		out, err := s.offers(context.WithoutCancel(ctx), in, after)
		if err != nil || len(out.Body.Orders) > 0 && out.Status == http.StatusOK {
			return out, err
		}
		select {
		case <-changes:
		case <-ctx.Done():
			return out, nil
		case <-s.streams.ended:
			return out, nil
		}
	}
}

// readFeed reads what a client asks for.
func (s *Server) readFeed(in *offersIn) (wait time.Duration, after int64, err error) {
	if err := s.pulls(in.ERP); err != nil {
		return 0, 0, err
	}
	if wait, err = readWait(in.Wait); err != nil {
		return 0, 0, huma.Error422UnprocessableEntity("wait is not a number of seconds, like 60")
	}
	after, err = readIDCursor(in.Cursor)
	return wait, after, err
}

// stay makes room for a client that waits, which is one of those that listen.
func (s *Server) stay(in *offersIn, wait time.Duration) (leave func(), err error) {
	connection := http.NewResponseController(in.writer)
	if err := errors.Join(connection.SetReadDeadline(time.Time{}), connection.SetWriteDeadline(time.Now().Add(wait+s.streams.patience))); err != nil {
		return nil, s.failed("the connection can't be kept open", err)
	}
	select {
	case s.streams.places <- struct{}{}:
		return func() { <-s.streams.places }, nil
	default:
		return nil, huma.Error503ServiceUnavailable(fmt.Sprintf("%d clients listen already; try again later, or without wait", mostStreams))
	}
}

// pulls says that there is no such feed, where there is none.
func (s *Server) pulls(erp string) error {
	if slices.Contains(s.Feeds, erp) {
		return nil
	}
	return huma.Error404NotFound(fmt.Sprintf("there is no ERP of the kind pull named %q in the config", erp))
}

// readWait reads seconds or a duration; more than a minute is a minute.
func readWait(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, mostWait), nil
	}
	d, err := time.ParseDuration(text)
	if err == nil && d < 0 {
		err = errors.New("a negative time")
	}
	return min(d, mostWait), err
}

// offers is what is on offer now. An offer never changes, so that their numbers
// make the tag.
func (s *Server) offers(ctx context.Context, in *offersIn, after int64) (*offersOut, error) {
	offers, err := s.Store.Offers(ctx, in.ERP, after, in.Limit)
	if err != nil {
		return nil, s.failed("what is on offer could not be read", err)
	}
	out := &offersOut{Status: http.StatusOK, Cache: "private, no-cache", Body: Offers{Orders: []Offer{}, Cursor: in.Cursor}}
	var seqs strings.Builder
	for _, o := range offers {
		out.Body.Orders = append(out.Body.Orders, Offer{o.Ref, o.Label, o.Seq, o.Cancelled, o.Body})
		out.Body.Cursor = strconv.FormatInt(o.Seq, 10)
		fmt.Fprintln(&seqs, o.Seq)
	}
	out.ETag = tagOf([]byte(in.ERP + in.Cursor + "\n" + seqs.String()))
	if knows(in.IfKnown, out.ETag) {
		out.Status = http.StatusNotModified
	}
	return out, nil
}
