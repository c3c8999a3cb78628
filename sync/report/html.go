package report

import (
	"bytes"
	_ "embed"
	"html/template"
	"io"
)

//go:embed report.html.tmpl
var htmlSource string

var htmlPage = template.Must(template.New("report").Parse(htmlSource))

// writeHTML writes nothing unless the whole page could be made.
func (r Report) writeHTML(w io.Writer) error {
	var b bytes.Buffer
	if err := htmlPage.Execute(&b, r.page()); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
