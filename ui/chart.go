package ui

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"gapless/store"
)

// Charts are 320 by 84: the picture above, the hours below. What they show
// stands beside them in words too.
const (
	chartWide = 320
	chartHigh = 64
)

// throughput draws bars of the webhooks of each hour, those calls that failed
// in another colour below their top.
func throughput(hours []store.Hour, c clock) template.HTML {
	most := int64(1)
	for _, h := range hours {
		most = max(most, h.Received, h.Sent+h.Failed)
	}
	var b strings.Builder
	b.WriteString(`<g class="bars">`)
	step := float64(chartWide) / float64(len(hours))
	for i, h := range hours {
		high := func(n int64) float64 { return float64(n) / float64(most) * chartHigh }
		fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="1.5"><title>%s</title></rect>`,
			float64(i)*step+1, chartHigh-high(h.Received), step-2, high(h.Received), hourTold(h, c))
		if h.Failed > 0 {
			fmt.Fprintf(&b, `<rect class="bad" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="1"/>`,
				float64(i)*step+1, chartHigh-max(2, high(h.Failed)), step-2, max(2, high(h.Failed)))
		}
	}
	b.WriteString(`</g>`)
	return chart(b.String(), fmt.Sprintf("Messages from Shopify in each of the last 24 hours; %s at most", number(most)), number(most), hours, c)
}

func hourTold(h store.Hour, c clock) string {
	return fmt.Sprintf("%s: %s received, %s sent to the ERP, %s failed", h.At.In(c.zone).Format("15:04"), number(h.Received), number(h.Sent), number(h.Failed))
}

// lags draws an area below the lag that 99 of 100 webhooks did not exceed, and
// the median as a line. Both grow by the logarithm: seconds and hours fit in one.
func lags(hours []store.Hour, c clock) template.HTML {
	longest := 10 * time.Second
	for _, h := range hours {
		longest = max(longest, h.LagMost)
	}
	top := math.Log1p(longest.Seconds())
	at := func(i int, lag time.Duration) string {
		x := (float64(i) + .5) * chartWide / float64(len(hours))
		return fmt.Sprintf("%.1f,%.1f", x, chartHigh-math.Log1p(lag.Seconds())/top*(chartHigh-2))
	}
	var area, line []string
	for i, h := range hours {
		area, line = append(area, at(i, h.LagMost)), append(line, at(i, h.Lag))
	}
	edge := chartWide / float64(len(hours)) / 2
	picture := fmt.Sprintf(`<polygon class="area" points="%.1f,%d %s %.1f,%d"/><polyline class="line" points="%s"/>`,
		edge, chartHigh, strings.Join(area, " "), chartWide-edge, chartHigh, strings.Join(line, " "))
	return chart(picture, fmt.Sprintf("How long messages from Shopify took in each of the last 24 hours; %s at most", span(longest)), span(longest), hours, c)
}

func chart(picture, label, top string, hours []store.Hour, c clock) template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 -14 %d %d" role="img" aria-label="%s">`, chartWide, chartHigh+34, template.HTMLEscapeString(label))
	fmt.Fprintf(&b, `<path class="grid" d="M0 0H%d M0 %d H%d"/><text x="0" y="-4">%s</text>`, chartWide, chartHigh, chartWide, template.HTMLEscapeString(top))
	b.WriteString(picture)
	for i := 0; i < len(hours); i += 6 {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d">%s</text>`, float64(i)*chartWide/float64(len(hours)), chartHigh+15, hours[i].At.In(c.zone).Format("15:04"))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}
