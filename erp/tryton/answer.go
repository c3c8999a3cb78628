package tryton

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"gapless/erp"
)

// answer is what came back on one request.
type answer struct {
	status int
	body   []byte
	after  time.Duration // Retry-After
}

// result reads the result into out, which may be nil. It returns the name of
// the warning where Tryton gave only that, and otherwise a *failure.
func (a answer) result(out any, writes bool) (warning string, err error) {
	if a.status != http.StatusOK {
		return "", a.refusal(writes)
	}
	unreadable := &failure{result: unsure(writes), reason: "Tryton's answer can't be read"}
	var reply map[string]json.RawMessage
	if json.Unmarshal(a.body, &reply) != nil {
		return "", unreadable
	}
	if wire, failed := reply["error"]; failed {
		return trytonError(wire, writes)
	}
	value, told := reply["result"]
	if !told {
		return "", unreadable
	}
	if out != nil && json.Unmarshal(value, out) != nil {
		return "", unreadable
	}
	return "", nil
}

// refusal judges a status other than 200. Only the statuses of the server's
// front door prove that the method never ran.
func (a answer) refusal(writes bool) *failure {
	switch a.status {
	case http.StatusUnauthorized:
		return &failure{result: erp.Retry, reason: badLogin}
	case http.StatusForbidden:
		return &failure{result: erp.Retry, reason: "Tryton does not let this user call what is needed"}
	case http.StatusNotFound:
		return &failure{result: erp.Retry, reason: "there is no Tryton database at this address; correct `url` and `database` in the config"}
	case http.StatusTooManyRequests:
		return &failure{result: erp.Retry, after: a.after, reason: "Tryton asks for fewer requests"}
	}
	return &failure{result: unsure(writes), after: a.after, reason: fmt.Sprintf("Tryton answered with status %d", a.status)}
}

// trytonError judges an error in the reply: ["UserError",[message,description,
// domain]], ["UserWarning",[name,message,description]],
// ["ConcurrencyException",message] or [text,""]. Tryton has rolled back
// whatever the call did, so none of them is Unknown.
func trytonError(wire json.RawMessage, writes bool) (warning string, err error) {
	var parts []json.RawMessage
	var kind string
	if json.Unmarshal(wire, &parts) != nil || len(parts) == 0 || json.Unmarshal(parts[0], &kind) != nil {
		return "", &failure{result: unsure(writes), reason: "Tryton's answer can't be read"}
	}
	var words []string
	if len(parts) > 1 {
		var each []json.RawMessage
		if json.Unmarshal(parts[1], &each) == nil {
			words = texts(each)
		}
	}
	switch {
	case kind == "UserWarning" && writes && len(words) > 0:
		return words[0], nil
	case kind == "UserError" && writes:
		f := &failure{result: erp.Rejected, reason: "Tryton refuses"}
		if len(words) > 0 {
			f.said = words[0]
		}
		return "", f
	case kind == "UserError", kind == "UserWarning":
		return "", &failure{result: erp.Retry, reason: "Tryton refuses to tell; check the rights of the user of this ERP"}
	case kind == "ConcurrencyException":
		return "", &failure{result: erp.Retry, reason: "somebody else is changing the same record in Tryton"}
	}
	return "", &failure{result: erp.Retry, reason: "Tryton failed and undid the call", said: kind}
}

// texts are the strings among the parts; null and others count as empty.
func texts(parts []json.RawMessage) []string {
	words := make([]string, len(parts))
	for i, p := range parts {
		if json.Unmarshal(p, &words[i]) != nil {
			words[i] = ""
		}
	}
	return words
}
