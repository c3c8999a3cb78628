package main

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"gapless/sync/alert"
)

// channels are the ways to people that the config names: for the daily report,
// and for gaps.
type channels struct {
	report []alert.Channel
	alerts []alert.Channel
	mail   []*alert.Email // of both, for `gapless check`
}

// openChannels makes the channels; nothing is sent yet.
func openChannels(c *Config) (made channels, err error) {
	client := &http.Client{Timeout: 30 * time.Second}
	add := func(to *[]alert.Channel, key string, channel alert.Channel, wrong error) {
		if wrong != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", key, wrong))
			return
		}
		*to = append(*to, channel)
	}
	mail := func(to *[]alert.Channel, key string, people []string) {
		if len(people) == 0 {
			return
		}
		server := alert.SMTP{Host: c.SMTP.Host, Port: c.SMTP.Port, User: c.SMTP.User, Password: c.SMTP.Password, From: c.SMTP.From, TLS: c.SMTP.TLS}
		email, err := alert.NewEmail(server, people, time.Now)
		add(to, key, email, err)
		made.mail = append(made.mail, email)
	}
	mail(&made.report, "report.email", c.Report.Email)
	mail(&made.alerts, "alerts.email", c.Alerts.Email)
	if c.Alerts.SlackURL != "" {
		slack, err := alert.NewSlack(c.Alerts.SlackURL, client, time.Now)
		add(&made.alerts, "alerts.slack_url", slack, err)
	}
	if c.Alerts.WebhookURL != "" {
		webhook, err := alert.NewWebhook(c.Alerts.WebhookURL, c.Alerts.WebhookSecret, client, time.Now)
		add(&made.alerts, "alerts.webhook_url", webhook, err)
	}
	return made, err
}

// sinceMidnight is a time of day, "07:00", that the config's check has passed.
func sinceMidnight(clock string) time.Duration {
	at, err := time.Parse("15:04", clock)
	if err != nil {
		return 0
	}
	return time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
}
