package erp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/itchyny/gojq"
)

// JQ is a compiled jq program. It sees neither the environment nor files,
// numbers keep all their digits, and a run ends after a second whatever the
// program says.
type JQ struct {
	code  *gojq.Code
	limit time.Duration
}

const jqRunLimit = time.Second

var (
	errNoResult = errors.New("the jq program gives no result")
	errTooMany  = errors.New("the jq program gives more than one result")
)

// CompileJQ reads a jq program.
func CompileJQ(source string) (*JQ, error) {
	query, err := gojq.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("jq does not understand it: %w", err)
	}
	code, err := gojq.Compile(query)
	if err != nil {
		return nil, fmt.Errorf("jq does not understand it: %w", err)
	}
	return &JQ{code, jqRunLimit}, nil
}

// Run gives the program's only result for v, which is JSON as JQInput or a
// json.Decoder with UseNumber decodes it.
func (p *JQ) Run(v any) (any, error) {
	ctx, end := context.WithTimeout(context.Background(), p.limit)
	defer end()
	results := p.code.RunWithContext(ctx, v)
	first, ok := results.Next()
	if !ok {
		return nil, errNoResult
	}
	if err, failed := first.(error); failed {
		return nil, fmt.Errorf("run jq: %w", err)
	}
	second, more := results.Next()
	if err, failed := second.(error); failed {
		return nil, fmt.Errorf("run jq: %w", err)
	}
	if more {
		return nil, errTooMany
	}
	return first, nil
}

// JQInput is the neutral order as jq programs see it: its JSON, with numbers
// beyond 2^53 exact.
func JQInput(o Order) (any, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("write order %s as JSON: %w", o.Ref, err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, fmt.Errorf("read order %s as JSON: %w", o.Ref, err)
	}
	return v, nil
}
