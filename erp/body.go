package erp

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/itchyny/gojq"
)

// Body is a jq program that makes an ERP's JSON object of the neutral order.
type Body struct{ program *JQ } // nil: the order itself

// CompileBody reads the program; "" and "." leave the order as it is. The error
// is a *SettingError of the key body.
func CompileBody(source string) (Body, error) {
	if source == "" || source == "." {
		return Body{}, nil
	}
	program, err := CompileJQ(source)
	if err != nil {
		return Body{}, &SettingError{Key: "body", Problem: err.Error(), Fix: `write a jq program such as "{number: .name, total}"`}
	}
	return Body{program}, nil
}

// Make runs the program over the order. An error is a *Problem, unless the order
// itself can't be written.
func (b Body) Make(o Order) ([]byte, error) {
	if b.program == nil {
		return json.Marshal(o)
	}
	v, err := JQInput(o)
	if err != nil {
		return nil, err
	}
	shaped, err := b.program.Run(v)
	if err != nil {
		return nil, bodyProblem(Excerpt(complaintOf(err), o))
	}
	if _, object := shaped.(map[string]any); !object {
		return nil, bodyProblem("its result is not a JSON object")
	}
	body, err := gojq.Marshal(shaped)
	if err != nil {
		return nil, bodyProblem("its result can't be written as JSON")
	}
	return body, nil
}

// complaintOf is what jq says, without the glimpse of the data that it puts in
// brackets at the end.
func complaintOf(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "it does not come to an end"
	}
	said, _, _ := strings.Cut(err.Error(), " (")
	return said
}

func bodyProblem(why string) *Problem {
	return &Problem{
		Reason: "the jq program in the setting body can't shape this order: " + why,
		Field:  "body",
		Hint:   "mend the program so that it gives one JSON object for every order, then replay",
	}
}
