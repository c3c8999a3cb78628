package ui

import "net/http"

// Person is somebody who is logged in.
type Person struct {
	Name string
	Role string // viewer, operator or admin
}

// person is who makes a request for a page; false: nobody is logged in.
func (s *Server) person(*http.Request) (Person, bool) {
	if s.Open {
		return Person{Name: "demo", Role: "operator"}, true
	}
	return Person{}, false
}
