package main

import (
	"errors"
	"fmt"
	"strings"

	"gapless/erp"
)

// checker is an ERP's settings that tell by themselves what is wrong with them,
// without asking the ERP or touching a file.
type checker interface{ Check() error }

func (l *loader) checkSettings(key string, settings any) {
	if s, ok := settings.(checker); ok {
		l.refuse(key+".", s.Check())
	}
}

func (l *loader) checkRules(rules []RuleConfig) {
	names := map[string]string{}
	for i, r := range rules {
		key := fmt.Sprintf("rules[%d]", i)
		if l.required(key+".name", r.Name) {
			l.unique(key+".name", r.Name, names)
		}
		l.required(key+".when", r.When)
		l.oneOf(key+".then", r.Then, "exclude", "hold")
	}
	_, err := compileRules(rules)
	l.refuse("", err)
}

func compileRules(configured []RuleConfig) (*erp.Rules, error) {
	rules := make([]erp.Rule, len(configured))
	for i, r := range configured {
		rules[i] = erp.Rule(r)
	}
	return erp.CompileRules(rules)
}

// refuse takes joined errors apart and notes each. What is said of a value that
// came by reference may hold a part of it, and is not repeated.
func (l *loader) refuse(prefix string, err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			l.refuse(prefix, e)
		}
		return
	}
	p := Problem{strings.TrimSuffix(prefix, "."), err.Error(), "compare config.example.toml"}
	var s *erp.SettingError
	if errors.As(err, &s) {
		p = Problem{prefix + s.Key, s.Problem, s.Fix}
	}
	if reference, referred := l.referred[p.Key]; referred {
		p.Problem = "what " + reference + " stands for can't be used"
	}
	l.add(p.Key, p.Problem, p.Fix)
}
