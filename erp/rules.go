package erp

import (
	"errors"
	"fmt"
)

// Rule keeps orders away from the ERP. When is a jq program over the neutral
// order; anything but null and false means yes.
type Rule struct {
	Name string
	When string
	Then string // Exclude or Hold
}

// What a rule does.
const (
	Exclude = "exclude" // the ERP never gets the order
	Hold    = "hold"    // the order waits until a person lets it go
)

// Rules are compiled rules, in their order. The zero value lets everything pass.
type Rules struct{ rules []compiledRule }

type compiledRule struct {
	Rule
	when *JQ
}

// CompileRules compiles all rules and reports every one that it can't, at once.
func CompileRules(rules []Rule) (*Rules, error) {
	compiled := &Rules{}
	var bad []error
	for i, r := range rules {
		when, err := CompileJQ(r.When)
		if err != nil {
			bad = append(bad, &SettingError{
				Key: fmt.Sprintf("rules[%d].when", i), Problem: err.Error(),
				Fix: `write a jq condition over the order, such as ".test" or ".source == \"pos\""`,
			})
			continue
		}
		compiled.rules = append(compiled.rules, compiledRule{r, when})
	}
	return compiled, errors.Join(bad...)
}

// Decide returns the first rule that matches, or nil. A rule that fails on an
// order is a *Problem: the order parks, since nobody can say what the rule
// would have wanted.
func (rs *Rules) Decide(o Order) (*Rule, error) {
	if len(rs.rules) == 0 {
		return nil, nil
	}
	input, err := JQInput(o)
	if err != nil {
		return nil, err
	}
	for i := range rs.rules {
		r := &rs.rules[i]
		result, err := r.when.Run(input)
		if err != nil {
			return nil, &Problem{
				Reason: fmt.Sprintf("the rule %q fails on this order", r.Name), // jq's own words may hold the order's data
				Field:  "rules",
				Hint:   "mend its `when`, for example with `// false` where a field may be missing, and replay the order",
			}
		}
		if result != nil && result != false {
			return &r.Rule, nil
		}
	}
	return nil, nil
}
