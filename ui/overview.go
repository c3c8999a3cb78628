package ui

// overview answers: is anything missing?
func overview(v *visit) (view, error) {
	n, err := v.Store.LiveGaps(v.Context())
	if err != nil {
		return view{}, err
	}
	return view{template: "overview", title: "Overview", body: n}, nil
}
